"""Take a trained run into another JAX program, three ways; nothing below `export` imports sirjax.

sirjax export program RUN --out sir.stablehlo      and      sirjax export weights RUN --out sir.safetensors
python examples/export_to_jax.py RUN --out exported

1. The program, StableHLO: photo crops to shape codes, called inside your own `jax.jit`.
2. The weights by name, from the .safetensors file, with eight lines of NumPy: for networks of your own.
3. The same weights from the run's orbax checkpoint: for training on.
"""

import argparse
import json
from pathlib import Path

import jax
import jax.export
import jax.numpy as jnp
import numpy as np


def export(run, out):
    """Both files, as the command line writes them."""
    from sirjax.cli.main import main as sirjax

    for kind, name in {"program": "sir.stablehlo", "weights": "sir.safetensors"}.items():
        code = sirjax(["export", kind, str(run), "--out", str(out / name)])
        if code:
            raise SystemExit(code)


def person_search(path):
    """Your own program around the exported one: which of known people is in each crop?"""
    program = jax.export.deserialize(bytearray(path.read_bytes()))

    @jax.jit
    def search(crops, gallery):
        codes = program.call(crops)["shape_mm"]
        distance = jnp.linalg.norm(codes[:, None] - gallery[None], axis=-1)
        return jnp.argmin(distance, axis=1), codes

    return search


def read_safetensors(path):
    """{name: array}: eight bytes of length, a JSON header, the numbers."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    return {
        name: np.frombuffer(data[end:], np.float32, int(np.prod(entry["shape"])), entry["data_offsets"][0])
        .reshape(entry["shape"])
        for name, entry in header.items() if name != "__metadata__"
    }  # fmt: skip


def read_checkpoint(run):
    """{name: array} of the newest checkpoint, by orbax alone."""
    import orbax.checkpoint as ocp

    steps = [int(path.name) for path in (run / "checkpoints").iterdir() if path.name.isdecimal()]
    tree = ocp.StandardCheckpointer().restore((run / "checkpoints" / str(max(steps)) / "networks").absolute())
    leaves = jax.tree.leaves_with_path(tree)
    return {"/".join(key.key for key in path): np.asarray(leaf) for path, leaf in leaves}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the --workdir of `sirjax train`")
    parser.add_argument("--out", type=Path, default=Path("exported"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    export(args.run, args.out)

    crops = np.random.default_rng(0).random((3, 112, 96, 3), np.float32)
    search = person_search(args.out / "sir.stablehlo")
    _, gallery = search(crops, jnp.zeros((1, 1)))
    found, _ = search(crops[::-1], gallery)
    print(f"program: codes of {gallery.shape[1]} coefficients; people found in reverse order: {found.tolist()}")

    weights, checkpoint = read_safetensors(args.out / "sir.safetensors"), read_checkpoint(args.run)
    equal = all(np.array_equal(weights[name], checkpoint[name]) for name in checkpoint)
    size = sum(array.size for array in weights.values())
    print(f"weights: {len(weights)} arrays, {size:,} numbers; the checkpoint holds {'the same' if equal else 'OTHERS'}")
    return found.tolist(), equal


if __name__ == "__main__":
    main()
