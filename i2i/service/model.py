"""The model behind the service: what it can take, and several pictures of one size at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.pictures import Pixels, to_pixels
from i2i.semantics import LabelSemantics
from i2i.service.palette import Palette
from i2i.synthesizer import Synthesizer

StyleKind = Literal["vector", "seed", "none"]
"""How a model's pictures of one map differ: by a vector, by what is drawn with a seed, or not at all."""

_USUAL = (256, 256)


@dataclass(frozen=True, eq=False)
class Order:
    """What one picture, or several of one map, are to be made of.

    Attributes:
        labels: (H, W).
        instances: (H, W) ids, or None.
        style: a vector, or None to draw one.
        photo: decodes the photo whose style to take instead. The order waits with it as a file, since the pixels of
            all photos in a queue could be more than the memory holds.
        seed: of what is drawn; None draws something else each time.
        count: pictures.
    """

    labels: NDArray[Any]
    instances: NDArray[np.int32] | None = None
    style: Tensor | None = None
    photo: Callable[[], Pixels] | None = None
    seed: int | None = None
    count: int = 1

    @property
    def key(self) -> Hashable:
        """Orders of the same key can be made together; None stands for one that is made alone."""
        return None if self.count > 1 else (self.labels.shape, self.instances is None)

    def look(self) -> Tensor | Pixels | None:
        """The style as the synthesizer takes it: a vector, the pixels of a photo, or None."""
        return self.style if self.photo is None else self.photo()


class Model:
    """A synthesizer with what a client has to know about it.

    Making one makes a first picture, so that a model that cannot be used says so at once.

    Args:
        synthesizer: of label maps.
        size: (height, width) to paint at; by default that of the training.

    Attributes:
        size: (height, width) of maps that are painted.
        style: how its pictures of one map differ.

    Raises:
        InputError: the model translates images, cannot draw a style, or makes no pictures of this size.
    """

    def __init__(self, synthesizer: Synthesizer, size: tuple[int, int] | None = None) -> None:
        if not isinstance(synthesizer.semantics, LabelSemantics):
            raise InputError("this model translates images, and has no label map to paint; i2i synthesize runs it")
        self.synthesizer = synthesizer
        numbered = LabelEncoding(ClassTable.numbered(synthesizer.semantics.num_classes))
        self.palette = Palette(synthesizer.encoding or numbered)
        self.edges = synthesizer.semantics.edges
        self.size = size or _training_size(synthesizer)
        nothing = np.zeros(self.size, np.uint8)
        synthesizer(nothing, seed=0)
        first = synthesizer.style(synthesizer.condition(nothing), self.size, seed=0)
        vector = synthesizer.style_dim is not None
        self.style: StyleKind = "vector" if vector else "none" if first is None else "seed"

    @property
    def takes_photos(self) -> bool:
        """Whether the style of a photo can be taken, whatever map it belongs to."""
        return self.style == "vector" and self.synthesizer.encoder is not None

    def fitted(self, labels: NDArray[Any]) -> NDArray[Any]:
        """A label map brought to the size that is painted, by the rules of the training."""
        resize = self.synthesizer.resize
        if labels.shape == self.size:
            return labels
        return (resize if resize is not None and resize.size == self.size else Fixed(self.size)).apply_labels(labels)

    def latents(self, photos: Sequence[Pixels]) -> list[Tensor]:
        """The style vector of each photo."""
        return [self.synthesizer.latent(photo).cpu() for photo in photos]

    def drawn(self, seeds: Sequence[int]) -> list[Tensor]:
        """The style vector that each seed draws."""
        condition = self.synthesizer.condition(np.zeros(self.size, np.uint8))
        styles = [self.synthesizer.style(condition, self.size, seed=seed) for seed in seeds]
        return [style[0].cpu() for style in styles if style is not None]

    def pictures(self, orders: Sequence[Order]) -> list[Pixels]:
        """(count, H, W, 3) for each order, the same as the synthesizer's up to rounding; all are of the same key."""
        if len(orders) == 1:
            return [self._alone(orders[0])]
        synthesizer, (height, width) = self.synthesizer, orders[0].labels.shape
        styles = [synthesizer.style(self._condition([o]), (height, width), o.look(), o.seed) for o in orders]
        drawn = [style for style in styles if style is not None]
        if len({style.shape for style in drawn}) > 1:  # noise of regions, of which the maps have different numbers
            return [self._alone(order) for order in orders]
        with torch.inference_mode():
            photos = synthesizer.generator(self._condition(orders), torch.cat(drawn) if drawn else None)
        return list(to_pixels(photos[:, :, :height, :width])[:, None])

    def _alone(self, order: Order) -> Pixels:
        return self.synthesizer(
            order.labels, instances=order.instances, style=order.look(), seed=order.seed, count=order.count
        )

    def _condition(self, orders: Sequence[Order]) -> Any:
        labels = np.stack([order.labels for order in orders])
        ids = [order.instances for order in orders if order.instances is not None]
        return self.synthesizer.condition(labels, np.stack(ids) if ids else None)


def _training_size(synthesizer: Synthesizer) -> tuple[int, int]:
    resize = synthesizer.resize
    if resize is None:
        return _USUAL
    return resize.size or resize.stretched(_USUAL[0], 2 * _USUAL[1], training=False)
