"""The raw data sets that `sirjax prepare` knows.

A source module holds the class named here (see data_prep/source.py) and may offer `add_arguments(parser)` and
`from_arguments(args) -> Source`, where `args.raw` is the folder or file that the user named.
"""

import argparse
import importlib

from data_prep.source import Source

# Name on the command line -> (module, class, one line of help).
SOURCES = {
    "identity-folders": (
        "data_prep.identity_folders",
        "IdentityFolders",
        "photos in one folder per person: VGGFace2, CASIA-WebFace, CelebA by identity, your own",
    ),
    "landmark-files": (
        "data_prep.landmark_files",
        "LandmarkFiles",
        "photos with 68 landmarks in .pts files: 300-W, HELEN, AFW, LFPW, IBUG",
    ),
    "300w-lp": ("data_prep.w300_lp", "W300LP", "300W-LP: photos turned to large poses, with .mat files"),
    "tfds-300w-lp": ("data_prep.the300w_lp", "The300WLP", "300W-LP as tensorflow-datasets prepares it (the300w_lp)"),
    "insightface-pack": ("data_prep.insightface_rec", "InsightFacePack", "face recognition packs, .rec with .idx"),
    "aflw2000": ("data_prep.aflw2000", "AFLW2000", "AFLW2000-3D, for evaluation"),
    "lfw": ("data_prep.lfw", "LFW", "Labeled Faces in the Wild with a list of pairs, for evaluation"),
    "cfp": ("data_prep.cfp", "CFP", "Celebrities in Frontal-Profile with its pairs, for evaluation"),
    "ytf": ("data_prep.ytf", "YTF", "YouTube Faces with its pairs of videos, for evaluation"),
    "micc": ("data_prep.micc", "MICC", "Florence 2D/3D faces: frames, and a list of the scans, for evaluation"),
}


def add_source_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Declares the options that a source has of its own."""
    module = importlib.import_module(SOURCES[name][0])
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)


def make_source(name: str, args: argparse.Namespace) -> Source:
    """The source that the command line names.

    Raises:
      ValueError, FileNotFoundError: if the folder is not that data set; the message says what to do.
    """
    module_name, class_name, _ = SOURCES[name]
    module = importlib.import_module(module_name)
    if hasattr(module, "from_arguments"):
        return module.from_arguments(args)
    return getattr(module, class_name)(args.raw)
