"""Pictures in rows, embedded in the page."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from sirjax.report.markup import image_source, require_picture, text


@dataclasses.dataclass(frozen=True)
class Picture:
    """One RGB picture with a line below it.

    Raises:
      ValueError: if the image is no uint8 array [H, W, 3].
    """

    image: np.ndarray  # uint8 [H, W, 3], RGB
    caption: str = ""

    def __post_init__(self):
        require_picture(self.image, self.caption)

    def html(self) -> str:
        """The picture at its own size, smaller where the page is narrow."""
        height, width = self.image.shape[:2]
        caption = f"<figcaption>{text(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure><img src="{image_source(self.image)}" alt="{text(self.caption or "picture")}" '
            f'width="{width}" height="{height}">{caption}</figure>'
        )


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Rows of pictures, each row a card: a pair of photos, or one line of a comparison."""

    title: str
    rows: Sequence[Sequence[Picture]]
    caption: str = ""

    def html(self, name: str) -> str:
        """The cards; `name` is unique on the page."""
        cards = "".join(
            f'<div class="card" tabindex="0" role="group" aria-label="{text(self.title)}, row {i + 1}">'
            f"{''.join(picture.html() for picture in row)}</div>"
            for i, row in enumerate(self.rows)
        )
        caption = f'<p class="caption">{text(self.caption)}</p>' if self.caption else ""
        return f'<div class="cards">{cards}</div>{caption}'

    def figures(self) -> None:
        """Pictures hold no figures."""
        return None
