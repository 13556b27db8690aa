"""Train from records. Start the same command again and it goes on from the newest checkpoint.

examples:
  sirjax train --config warmup --workdir runs/warmup --config.data.landmark=records/landmark
  sirjax train --config sir --workdir runs/sir --config.init_from=runs/warmup \\
      --config.data.landmark=records/landmark --config.data.identity=records/identity
  sirjax train --config sir ... --config.sir.center=plain --config.data.batch_size=32

Several hosts, each with all its GPUs; --workdir and the records are on a disk that all see:
  sirjax train --coordinator auto ...                                        (SLURM, Open MPI, TPU pods, GKE)
  sirjax train --coordinator node0:9876 --num-hosts 2 --host-index 0 ...     (and 1 on the other)

Every setting of configs/default.py can be given as --config.<name>=<value>.
"""

import argparse
import importlib.util
import inspect
import logging
import re
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

import configs
from configs import default
from sirjax.cli.hardware import idle_gpu
from sirjax.cli.parsing import SETTING, nearest
from sirjax.training import hosts
from sirjax.training.loop import train

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax train`."""
    parser.add_argument("--config", required=True, help="a config file, or the name of one in configs/: warmup, sir")
    parser.add_argument("--workdir", required=True, type=Path, help="run directory: checkpoints, metrics, pictures")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--coordinator", metavar="HOST:PORT", help="train on several hosts; the first one, or auto")
    parser.add_argument("--num-hosts", type=int, metavar="N", help="processes that run this command")
    parser.add_argument("--host-index", type=int, metavar="I", help="of this one; 0 is the coordinator")


def run(args: argparse.Namespace) -> int:
    """Trains."""
    _log_plainly()
    config = load_config(args.config, args.settings)
    if args.coordinator:
        hosts.connect(args.coordinator, num_hosts=args.num_hosts, host_index=args.host_index)
    elif args.num_hosts is not None or args.host_index is not None:
        raise ValueError("--num-hosts and --host-index need --coordinator HOST:PORT")
    if reason := idle_gpu():
        logger.warning("training on the CPU: %s", reason)
    train(config, args.workdir, progress=not args.quiet)
    return 0


def _log_plainly() -> None:
    """Messages alone, also where an import has set up logging already."""
    logging.basicConfig(level=logging.INFO)
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger("absl").setLevel(logging.WARNING)


def load_config(name: str, overrides: list[str]) -> ConfigDict:
    """The settings of a config file with `--config.<name>=<value>` overrides applied.

    Raises:
      FileNotFoundError: if there is no such config.
      ValueError: for an unknown setting or a value of the wrong type.
    """
    name, _, argument = name.partition(":")  # what follows the colon goes to the file's get_config
    path = Path(name)
    if not path.suffix:
        path = Path(configs.__file__).parent / f"{name}.py"
    if not path.is_file():
        known = config_names()
        like = nearest(name, known)
        remedy = f"did you mean {like}? Give" if like else "give"
        raise FileNotFoundError(f"no config {name!r}: {remedy} a path to a .py file, or one of {', '.join(known)}")
    config = _config_of(path, argument)
    for word in overrides:
        _check_setting(word, config)
    values = flags.FlagValues()
    arguments = ["sirjax", *overrides]
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=arguments)
        values(arguments)
    except (flags.Error, TypeError, ValueError) as error:
        raise ValueError(_wrong_value(str(error).replace("flag --config.", "--config."), config)) from error
    return values.config


def config_names() -> list[str]:
    """What --config takes without a path."""
    return sorted(path.stem for path in Path(configs.__file__).parent.glob("*.py") if path.stem != "__init__")


def setting_names() -> list[str]:
    """All settings: seed, data.batch_size, ..."""
    return _keys(default.get_config())


def nearest_setting(name: str) -> str:
    """The setting, as an option, that `name` is most likely meant for; "" if none is near."""
    keys = setting_names()
    name = name.removeprefix(SETTING.strip("-"))
    last = {key.split(".")[-1]: key for key in reversed(keys)}
    last |= {group.split(".")[-1]: f"{group}.*" for key in keys for group in [key.rpartition(".")[0]] if group}
    found = nearest(name, keys) if "." in name else ""
    alike = nearest(name.split(".")[-1], last)
    if alike and (not found or found.split(".")[-1] != alike):
        # `losses.margin` is rather the margin of another group than another loss.
        found = last[alike]
    return f"{SETTING}{found}" if found else ""


SETTINGS = nearest_setting  # unknown --config.* options are settings; this names the one most likely meant


def _config_of(path: Path, argument: str) -> ConfigDict:
    """What a config file's `get_config` returns.

    Raises:
      ValueError: if it sets what is no setting (any more), or takes no argument.
    """
    get_config = _import_file(path).get_config
    if argument and not inspect.signature(get_config).parameters:
        raise ValueError(f"{path} takes no argument, got :{argument}: leave out the colon and what follows")
    try:
        return get_config(argument) if argument else get_config()
    except (AttributeError, KeyError) as error:
        (unknown,) = re.findall(r"[Kk]ey \W*(\w+)", str(error))[:1] or [str(error)]
        like = nearest_setting(unknown).removeprefix("--")
        remedy = f"did you mean {like}? See" if like else "see"
        raise ValueError(
            f"{path} uses the setting {unknown!r}, which there is not (any more): {remedy} configs/default.py, which "
            "has all"
        ) from error


def _check_setting(word: str, config: ConfigDict) -> None:
    if not word.startswith(SETTING):
        return
    key = re.sub(r"\[\d+\]$", "", word.removeprefix(SETTING).split("=")[0])
    keys = _keys(config)
    if key in keys:
        return
    within = [name.removeprefix(f"{key}.") for name in keys if name.startswith(f"{key}.")]
    if within:
        raise ValueError(f"{SETTING}{key} is a group of settings: give {SETTING}{key}.NAME, of {', '.join(within)}")
    like = nearest_setting(key)
    remedy = f"did you mean {like}? See" if like else "see"
    raise ValueError(f"unknown setting {SETTING}{key}: {remedy} configs/default.py, which has all")


def _wrong_value(message: str, config: ConfigDict) -> str:
    """What absl says of a value, with the setting's own one as an example."""
    named = re.search(re.escape(SETTING) + r"([\w.]+)", message)
    if named is None or named[1] not in _keys(config):
        return message
    value: Any = config
    for name in named[1].split("."):
        value = value[name]
    return f"{message}; give a {type(value).__name__}, such as {value!r}"


def _keys(config: ConfigDict) -> list[str]:
    return [
        f"{name}.{inner}" if inner else name
        for name, value in config.items()
        for inner in (_keys(value) if isinstance(value, ConfigDict) else [""])
    ]


def _import_file(path: Path):
    # Not config_flags' own loader: it uses `load_module`, which Python is about to drop.
    spec = importlib.util.spec_from_file_location(f"sirjax_config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
