"""Class tables: what each class is called, how it is drawn, and how a file of ids or colours becomes labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2i.errors import InputError
from i2i.recipe import recorded

Array = NDArray[Any]

_LARGEST_TABLE = 1 << 20  # ids; what is spread wider is searched for


@recorded
class ClassTable:
    """Names and display colours of the classes, in the order of the network's channels.

    Args:
        names: one per class.
        colours: one (red, green, blue) in 0..255 per class.
        ids: the number that stands for each class in label files; 0, 1, 2, … by default.
    """

    def __init__(
        self, names: Sequence[str], colours: Sequence[Sequence[int]], ids: Sequence[int] | None = None
    ) -> None:
        if not names:
            raise InputError("a class table needs classes; there are none")
        if len(names) != len(colours) or (ids is not None and len(ids) != len(names)):
            raise InputError(f"a class table needs as many colours and ids as names; got {len(names)} names")
        self.names = list(names)
        self.ids = list(range(len(names)) if ids is None else ids)
        twice = next((value for value, count in Counter(self.ids).items() if count > 1), None)
        if twice is not None:
            both = [name for name, value in zip(self.names, self.ids, strict=True) if value == twice]
            raise InputError(
                f"the classes {both[0]!r} and {both[1]!r} share the id {twice}; an id stands for one class"
            )
        try:
            self.colours = np.asarray(colours, dtype=np.int64)
        except OverflowError as error:
            raise InputError("the colours of a class table are (red, green, blue) triples in 0 to 255") from error
        if self.colours.shape != (len(names), 3):
            raise InputError("the colours of a class table are (red, green, blue) triples in 0 to 255")
        wrong = ((self.colours < 0) | (self.colours > 255)).any(1)
        if wrong.any():
            name, colour = self.names[wrong.argmax()], tuple(self.colours[wrong.argmax()].tolist())
            raise InputError(f"the class {name!r} has the colour {colour}; red, green and blue are 0 to 255")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def load(cls, name: str) -> ClassTable:
        """A table that comes with i2i: ``ade20k``, ``camvid``, ``cityscapes``, ``coco_stuff``, ``facades``, …"""
        folder = resources.files("i2i") / "tables"
        known = sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".csv"))
        if name not in known:
            raise InputError(f"no class table {name!r}; i2i has {', '.join(known)}")
        with resources.as_file(folder / f"{name}.csv") as path:
            return cls.from_csv(path)

    @classmethod
    def from_csv(cls, path: str | Path) -> ClassTable:
        """Read ``id,name,red,green,blue`` (further columns are ignored; colours may be left out).

        Raises:
            InputError: the file is missing, has no such columns, or a line that cannot be read (named).
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the class table {path}: {error}") from error
        reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
        try:
            fields = reader.fieldnames or []
        except csv.Error as error:
            raise InputError(f"{path}, line 1: {error}") from error
        if "id" not in fields or "name" not in fields:
            raise InputError(f"{path}: the first line must name the columns id,name,red,green,blue; it is {fields}")
        ids, names, colours = [], [], []
        for row in _rows(reader, path):
            try:
                ids.append(int(row["id"]))
                names.append(row["name"].strip())
                has_colour = all(row.get(channel) for channel in ("red", "green", "blue"))
                default = _distinct_colour(len(names) - 1)
                colours.append([int(row[c]) for c in ("red", "green", "blue")] if has_colour else default)
            except (TypeError, ValueError, AttributeError) as error:
                values = ",".join(str(v) for v in row.values())
                raise InputError(f"{path}, line {reader.line_num}: {values!r} is not id,name,red,green,blue") from error
        try:
            return cls(names, colours, ids)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @property
    def twins(self) -> dict[int, int]:
        """Of every class whose colour an earlier one has, that one: in RGB files such pixels are the earlier's."""
        first: dict[tuple[int, ...], int] = {}
        places = [first.setdefault(tuple(colour), place) for place, colour in enumerate(self.colours.tolist())]
        return {place: earlier for place, earlier in enumerate(places) if earlier != place}

    def to_csv(self) -> str:
        """The table as the text of a ``classes.csv``."""
        rows = zip(self.ids, self.names, self.colours.tolist(), strict=True)
        return "id,name,red,green,blue\n" + "".join(f"{i},{n},{r},{g},{b}\n" for i, n, (r, g, b) in rows)

    @classmethod
    def numbered(cls, count: int) -> ClassTable:
        """A table for a set without one: ``class 0`` … with colours that are easy to tell apart."""
        return cls([f"class {i}" for i in range(count)], [_distinct_colour(i) for i in range(count)])

    def colourise(self, labels: Array) -> NDArray[np.uint8]:
        """(…, H, W) labels -> (…, H, W, 3) uint8 in the classes' colours; what lies beyond the table is black."""
        palette = np.concatenate([self.colours, np.zeros((1, 3), np.int64)]).astype(np.uint8)
        known = (labels >= 0) & (labels < len(self))
        return np.asarray(palette[np.where(known, labels, len(self)).astype(np.int64)])


@recorded
class LabelEncoding:
    """How label files of a data set become labels: the table, the ids' order, and what stands for "unknown".

    Args:
        classes: the table.
        unknown: ids that mean "no class"; they become one further label, ``len(classes)``, unless ``unknown_label``
            names an existing one.
        unknown_label: the label that ``unknown`` ids become.
        extra_channels: channels that no file uses but published networks have (Cityscapes: 35 for the ids 0 to 33).
        tolerance: the largest difference per colour channel at which a pixel of an RGB mask still counts as a class.
    """

    def __init__(
        self,
        classes: ClassTable,
        unknown: Sequence[int] = (),
        unknown_label: int | None = None,
        extra_channels: int = 0,
        tolerance: int = 8,
    ) -> None:
        self.classes = classes
        self.unknown = list(unknown)
        self.unknown_label = len(classes) if unknown_label is None else unknown_label
        self.extra_channels = extra_channels
        self.tolerance = tolerance

    @property
    def num_classes(self) -> int:
        """How many labels there are: the table's, one for "unknown" where that is a label of its own, and extras."""
        own = bool(self.unknown) and self.unknown_label >= len(self.classes)
        return len(self.classes) + own + self.extra_channels

    def decode(self, image: Array, name: str = "the label map", nearest: bool = False) -> Array:
        """(H, W) ids or (H, W, 3) colours -> (H, W) labels: uint8, or int16 where there are more than 256.

        Args:
            image: ids or colours.
            name: what the errors call it.
            nearest: take the class of the nearest colour however far it is, by the largest difference of a channel.

        Raises:
            InputError: an id or a colour that stands for no class; ``name`` (the file), the value and what is
                allowed are in the message.
        """
        if image.ndim == 3 and image.shape[2] in (3, 4):
            return self._from_colours(image[:, :, :3], name, nearest)
        if image.ndim != 2 or not np.issubdtype(image.dtype, np.integer):
            raise InputError(f"{name}: {image.dtype} of shape {image.shape} is not a label map (ids or RGB colours)")
        return self._from_ids(image, name)

    def _from_ids(self, ids: Array, name: str) -> Array:
        values = np.unique(ids)
        low, high = int(values[0]), int(values[-1])
        wrong = [int(v) for v in values if int(v) not in self._label_of]
        if wrong:
            raise InputError(f"{name}: label {_few(wrong)} is out of range; allowed are {self._allowed()}")
        labels = np.array([self._label_of[int(value)] for value in values], dtype=self._dtype)
        if high - low > _LARGEST_TABLE:
            return np.asarray(labels[np.searchsorted(values, ids)])
        table = np.zeros(high - low + 1, dtype=self._dtype)
        table[values.astype(np.int64) - low] = labels
        found = np.empty(ids.shape, dtype=self._dtype)
        for rows in _blocks(ids):
            found[rows] = table[ids[rows].astype(np.int64) - low]
        return found

    def label_of(self, name: int | str) -> int:
        """The label of a class, by its name, or by its label itself.

        Raises:
            InputError: there is no such class.
        """
        names = self.classes.names
        if isinstance(name, str) and name in names:
            return names.index(name)
        if isinstance(name, str) or not 0 <= name < self.num_classes:
            few = f"{', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
            last = self.num_classes - 1
            raise InputError(f"{name!r} is no class of this model; there are the labels 0 to {last} and {few}")
        return name

    def _from_colours(self, image: Array, name: str, nearest: bool) -> Array:
        packed = image.astype(np.int64) @ np.array([65536, 256, 1])
        values, inverse = np.unique(packed, return_inverse=True)
        found = np.stack([values >> 16, values >> 8 & 255, values & 255], 1)
        labels = np.empty(len(found), dtype=self._dtype)
        for start in range(0, len(found), 4096):  # a photograph given by mistake has many colours
            part = found[start : start + 4096]
            distance = np.abs(part[:, None] - self.classes.colours[None]).max(2)
            best = distance.argmin(1)
            far = distance[np.arange(len(part)), best] > self.tolerance
            if far.any() and not nearest:
                colour = tuple(int(c) for c in part[far][0])
                raise InputError(
                    f"{name}: colour {colour} is no class; the nearest of the {len(self.classes)} class colours "
                    f"differs by more than {self.tolerance}"
                )
            labels[start : start + 4096] = best
        return np.asarray(labels[inverse.reshape(packed.shape)])

    @cached_property
    def _label_of(self) -> dict[int, int]:
        known = {value: label for label, value in enumerate(self.classes.ids)}
        return known | dict.fromkeys(self.unknown, self.unknown_label)

    @property
    def _dtype(self) -> type[np.uint8] | type[np.int16]:
        return np.uint8 if self.num_classes <= 256 else np.int16

    def _allowed(self) -> str:
        ids = sorted(self.classes.ids)
        text = f"{ids[0]} to {ids[-1]}" if ids == list(range(ids[0], ids[-1] + 1)) else _few(ids, 12)
        return text + (f" and {_few(self.unknown)} for unknown" if self.unknown else "")


def _rows(reader: csv.DictReader[str], path: str | Path) -> Iterator[dict[str, Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error


def _blocks(image: Array) -> Iterator[slice]:
    """Rows, some million pixels at a time: indices take eight bytes each, and maps may be of a hundred megapixels."""
    step = max(1, (1 << 22) // max(1, image.shape[1]))
    return (slice(top, top + step) for top in range(0, len(image), step))


def _few(values: Sequence[int], most: int = 5) -> str:
    return ", ".join(str(v) for v in values[:most]) + (", …" if len(values) > most else "")


def _distinct_colour(index: int) -> list[int]:
    """The colour map of the PASCAL VOC masks: bits of the index spread over the high bits of the three channels."""
    colour, index = [0, 0, 0], index + 1
    for bit in range(7, -1, -1):
        for channel in range(3):
            colour[channel] |= (index >> channel & 1) << bit
        index >>= 3
    return colour
