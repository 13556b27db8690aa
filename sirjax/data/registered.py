"""Registers records folders with tensorflow-datasets, so that its own functions open them by name.

    import sirjax.data.registered
    import tensorflow_datasets as tfds

    tfds.data_source("sirjax_records", split="samples", data_dir="records/identity")[17]

tensorflow itself is neither needed nor imported.
"""

import os
from functools import partial
from pathlib import Path

import tensorflow_datasets as tfds

from sirjax.data.records import read_manifest


class SirjaxRecords(tfds.core.read_only_builder.ReadOnlyBuilder):
    """The builder of the data set "sirjax_records". Unlike others, its `data_dir` is the records folder itself."""

    def __init__(self, *, data_dir: str | os.PathLike | None = None):
        """Opens a records folder.

        Raises:
          ValueError: if no folder is named, or it is not a records folder.
        """
        if data_dir is None:
            raise ValueError("sirjax_records needs data_dir: the records folder, made with `sirjax prepare`")
        read_manifest(Path(data_dir))
        super().__init__(builder_dir=os.fspath(data_dir))

    def __reduce__(self) -> tuple:
        """Pickled by the folder alone, for the worker processes of data loaders."""
        return partial(type(self), data_dir=os.fspath(self.data_dir)), ()
