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
import logging
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

import configs
from sirjax.training import hosts
from sirjax.training.loop import train

TAKES_SETTINGS = True  # unknown --config.* options are settings, checked against the schema below


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
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("absl").setLevel(logging.WARNING)
    config = load_config(args.config, args.settings)
    if args.coordinator:
        hosts.connect(args.coordinator, num_hosts=args.num_hosts, host_index=args.host_index)
    elif args.num_hosts is not None or args.host_index is not None:
        raise ValueError("--num-hosts and --host-index need --coordinator HOST:PORT")
    train(config, args.workdir, progress=not args.quiet)
    return 0


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
        known = sorted(p.stem for p in Path(configs.__file__).parent.glob("*.py") if p.stem != "__init__")
        raise FileNotFoundError(f"no config {name!r}; give a path to a .py file, or one of: {', '.join(known)}")
    module = _import_file(path)
    config = module.get_config(argument) if argument else module.get_config()
    values = flags.FlagValues()
    arguments = ["sirjax", *overrides]
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=arguments)
        values(arguments)
    except (AttributeError, KeyError) as error:
        text = str(error.args[0]).replace("\\n", ". ").replace("\\", "").strip("'")  # the original is a repr of a repr
        raise ValueError(f"unknown setting '{text}; see configs/default.py") from error
    except (flags.Error, TypeError) as error:
        raise ValueError(str(error)) from error
    return values.config


def _import_file(path: Path):
    # Not config_flags' own loader: it uses `load_module`, which Python is about to drop.
    spec = importlib.util.spec_from_file_location(f"sirjax_config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
