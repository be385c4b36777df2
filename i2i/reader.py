"""Reads what a model is given: label maps, instances, images to translate, pictures in the classes' colours."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from i2i.classes import ClassTable, LabelEncoding
from i2i.condition import Semantics
from i2i.data.conditions import Images, image_batch
from i2i.data.label_maps import LabelMaps, OneMap, label_batch
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.photos import Photo, photo_pixels
from i2i.pictures import Pixels
from i2i.semantics import LabelSemantics


class Reader:
    """Reads for one model.

    Args:
        semantics: how labels or images become the generator's condition.
        encoding: how label files become labels; where it is None, ids are labels.
        resize: how files come to the size the model was trained for.

    Raises:
        InputError: the model has another kind of condition.
    """

    def __init__(self, semantics: Semantics, encoding: LabelEncoding | None, resize: Resize | None) -> None:
        check_translates(semantics)
        self._semantics = semantics
        self._given_encoding = encoding
        self._resize = resize

    @cached_property
    def encoding(self) -> LabelEncoding:
        """How label files are read. Raises :class:`InputError` where the model translates images."""
        if not isinstance(self._semantics, LabelSemantics):
            raise InputError("this model translates images; it has no classes")
        return self._given_encoding or LabelEncoding(ClassTable.numbered(self._semantics.num_classes))

    def batch(
        self, labels: LabelMaps | Images, instances: LabelMaps | None = None, own_size: bool = False
    ) -> list[tuple[str, Tensor]]:
        """What is given, by the loader's names: labels and, where there are any, instances last; or images.

        Args:
            labels: see :func:`i2i.data.label_maps.label_batch`; or see :func:`i2i.data.conditions.image_batch`.
            instances: as many maps.
            own_size: leave files their size.
        """
        resize = None if own_size else self._resize
        if isinstance(self._semantics, LabelSemantics):
            return label_batch(labels, instances, self.encoding, resize)  # type: ignore[arg-type]
        if instances is not None:
            raise InputError("this model translates images; it takes no instances")
        return [("condition", image_batch(labels, self._semantics.channels, resize))]  # type: ignore[arg-type]

    def label_of(self, name: int | str) -> int:
        """The label of a class, by its name or by its label itself."""
        return self.encoding.label_of(name)

    def from_rgb(self, picture: Photo, nearest: bool) -> NDArray[Any]:
        """(H, W) labels of a picture in the classes' colours."""
        name = str(picture) if isinstance(picture, str | Path) else "the picture"
        return np.asarray(self.encoding.decode(photo_pixels(picture), name, nearest))

    def to_rgb(self, labels: OneMap) -> Pixels:
        """(…, H, W) labels -> (…, H, W, 3) uint8 in the classes' colours."""
        if not isinstance(labels, Tensor | np.ndarray):
            labels = self.batch(labels, own_size=True)[0][1][0]
        return self.encoding.classes.colourise(labels.cpu().numpy() if isinstance(labels, Tensor) else labels)


def check_translates(semantics: Semantics) -> None:
    """Raise :class:`InputError` where a model has another condition than label maps or images."""
    if not isinstance(semantics, LabelSemantics | ImageSemantics):
        raise InputError("a model of samples without maps or images; i2i.foundations.sampler.Sampler draws them")
