"""Files that Apache Beam can reach: gs://, s3://, hdfs://, or an ordinary path.

`BeamPath` has those parts of pathlib.Path that sources use to read an image, so that a source whose folder was listed
on one machine reads its images from a bucket on others.
"""

import posixpath
from pathlib import PurePosixPath
from typing import BinaryIO


class BeamPath:
    """One file or folder, named by its URL."""

    def __init__(self, url: str):
        self.url = url.rstrip("/") or "/"

    def __truediv__(self, below: str | PurePosixPath) -> "BeamPath":
        return BeamPath(posixpath.join(self.url, str(below)))

    def __repr__(self) -> str:
        return f"BeamPath({self.url!r})"

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return posixpath.basename(self.url)

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return posixpath.splitext(self.url)[1]

    def with_suffix(self, suffix: str) -> "BeamPath":
        """The file of the same name with another ending."""
        return BeamPath(posixpath.splitext(self.url)[0] + suffix)

    def is_file(self) -> bool:
        """Whether there is such a file."""
        from apache_beam.io.filesystems import FileSystems

        return FileSystems.exists(self.url)

    def open(self, mode: str = "rb") -> BinaryIO:
        """Opens the file for reading.

        Raises:
          FileNotFoundError: if there is none.
          OSError: if the storage does not give it.
        """
        from apache_beam.io.filesystem import BeamIOError, CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        if mode != "rb":
            raise ValueError(f"{self.url} is opened for reading bytes only, not {mode!r}")
        try:
            # As it is: the default would unpack what is named .gz.
            return FileSystems.open(self.url, compression_type=CompressionTypes.UNCOMPRESSED)
        except (OSError, BeamIOError) as error:
            if not self.is_file():
                raise FileNotFoundError(2, "No such file", self.url) from None
            raise OSError(5, str(error), self.url) from error

    def read_bytes(self) -> bytes:
        """The whole content; raises like `open`."""
        with self.open() as file:
            return file.read()

    def write_bytes(self, content: bytes) -> None:
        """Writes the file, wholly or not at all: under another name in the same folder, then renamed."""
        from uuid import uuid4

        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        temporary = f"{posixpath.dirname(self.url)}/tmp-{uuid4().hex}"
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            file.write(content)
        FileSystems.rename([temporary], [self.url])
