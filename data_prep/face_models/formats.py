"""Which published models can be read. Modules are imported only when asked for."""

import importlib
from pathlib import Path

from data_prep.face_models.files import Format
from data_prep.face_models.raw import RawModel

# Format on the command line -> (module with FORMAT and read, what it is).
FORMATS = {
    "bfm2009": ("bfm2009", "Basel Face Model 2009 with FaceWarehouse expressions (front of the face)"),
    "3ddfa": ("threeddfa", "3DDFA's Model_Shape.mat and Model_Exp.mat, the model of the SIR paper"),
    "bfm2017": ("bfm2017", "Basel Face Model 2017 or 2019, .h5"),
    "flame": ("flame", "FLAME 2020 or 2023, .pkl or .npz"),
    "gnm": ("gnm", "Google's GNM Head, .npz"),
    "ict": ("ict", "ICT-FaceKit, folder or .tar.xz"),
    "surrey": ("surrey", "Surrey Face Model, eos's .bin"),
}


def format_of(name: str) -> Format:
    """The description of a format.

    Raises:
      ValueError: if there is none of that name.
    """
    return _module(name).FORMAT


def read(name: str, path: Path) -> RawModel:
    """Reads a published model.

    Raises:
      FileNotFoundError, ValueError: if the format is unknown, or files are missing, damaged or others; the message says
        what to do.
    """
    return _module(name).read(path)


def _module(name: str):
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r} of face models: take one of {', '.join(FORMATS)}")
    return importlib.import_module(f"data_prep.face_models.{FORMATS[name][0]}")
