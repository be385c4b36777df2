"""The classes as painters and clients see them: the ids of label files, names and colours."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2i.classes import ClassTable, LabelEncoding

_LARGEST_ID = 65535
_NOTHING = ("unlabeled", "unlabelled", "unknown", "void", "background", "other", "nothing", "sky")


@dataclass(frozen=True)
class PaintedClass:
    """One class.

    Attributes:
        id: what stands for it in label files.
        name: for people.
        colour: (red, green, blue).
    """

    id: int
    name: str
    colour: tuple[int, int, int]


class Palette:
    """Ids, as they travel between client and service, and labels, as the network knows them.

    Args:
        encoding: of the model. Where an id of it does not fit into 16 bits, classes are numbered from 0 instead.
    """

    def __init__(self, encoding: LabelEncoding) -> None:
        table = encoding.classes
        if not all(0 <= number <= _LARGEST_ID for number in [*table.ids, *encoding.unknown]):
            encoding = LabelEncoding(ClassTable(table.names, table.colours.tolist()), tolerance=encoding.tolerance)
            table = encoding.classes
        self.encoding = encoding
        colours: list[tuple[int, int, int]] = [(r, g, b) for r, g, b in table.colours.tolist()]
        self.classes = [PaintedClass(*row) for row in zip(table.ids, table.names, colours, strict=True)]
        if encoding.unknown and encoding.unknown_label >= len(table):
            self.classes.append(PaintedClass(encoding.unknown[0], "unknown", (0, 0, 0)))
        self._ids = np.array([c.id for c in self.classes], np.uint16)

    @property
    def bits(self) -> int:
        """8 or 16: the size of an id where all have the same."""
        return 8 if max(c.id for c in self.classes) <= 255 else 16

    @property
    def background(self) -> int:
        """The id of the class that is painted where something is erased."""
        ids = {c.name.lower(): c.id for c in reversed(self.classes)}
        return next((ids[name] for name in _NOTHING if name in ids), self.classes[0].id)

    def ids(self, labels: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(H, W) labels -> (H, W) ids of :attr:`bits`."""
        ids: NDArray[np.uint16] = self._ids[labels]
        return ids.astype(np.uint8) if self.bits == 8 else ids

    def png(self, labels: NDArray[Any]) -> bytes:
        """(H, W) labels as a PNG of ids: a palette image in the classes' colours, or 16-bit grey if ids are larger."""
        ids, file = self.ids(labels), io.BytesIO()
        image = Image.fromarray(ids)
        if self.bits == 8:
            colours = np.zeros((256, 3), np.uint8)
            colours[[c.id for c in self.classes]] = [c.colour for c in self.classes]
            image.putpalette(colours.tobytes())
        image.save(file, format="PNG")
        return file.getvalue()
