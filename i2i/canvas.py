"""Painting: the label map after every stroke in, the picture out, of which only what the stroke changed is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.nn.folded import FoldedSPADE
from i2i.nn.incremental import IncrementalSPADE, Work
from i2i.pictures import Pixels, to_pixels
from i2i.semantics import LabelSemantics, SemanticMap

if TYPE_CHECKING:
    from i2i.data.label_maps import OneMap
    from i2i.styles import OneStyle
    from i2i.synthesizer import Synthesizer


class Canvas:
    """What :meth:`Synthesizer.canvas` returns: one picture that is painted, by one painter.

    Calls must not overlap, while any number of canvases may share a synthesizer, in threads of their own. Where the
    generator is SPADE, see :mod:`i2i.nn.incremental` for what is computed anew and what is kept, and how much that
    takes; every other generator makes the whole picture at each update.

    >>> canvas = synthesizer.canvas()
    >>> picture = canvas.update(labels, seed=1)
    >>> labels[40:60, 80:90] = 3
    >>> picture = canvas.update(labels)  # in the same style

    Args:
        synthesizer: whose pictures they are.
    """

    def __init__(self, synthesizer: Synthesizer) -> None:
        if not isinstance(synthesizer.semantics, LabelSemantics):
            raise InputError("a canvas is a label map that is painted; this model translates images")
        self._synthesizer = synthesizer
        generator = synthesizer.generator
        # What is made of it may be another function of map and style, so the class itself is asked for.
        self._incremental = IncrementalSPADE(generator) if type(generator) is FoldedSPADE else None
        self._wanted: tuple[OneStyle | None, int] | None = None  # style and seed
        self._style: Tensor | None = None

    @property
    def work(self) -> Work | None:
        """What the last update took, in pixels of the padded map; None where every picture is made whole."""
        return None if self._incremental is None else self._incremental.work

    @property
    def bytes(self) -> int:
        """Memory of what is kept between updates."""
        return 0 if self._incremental is None else self._incremental.bytes

    @torch.inference_mode()
    def update(
        self,
        labels: OneMap,
        instances: OneMap | None = None,
        style: OneStyle | None = None,
        seed: int | None = None,
    ) -> Pixels:
        """The picture of a map: the same as the synthesizer's, up to rounding.

        Args:
            labels: (H, W) integers in [0, number of classes), or a map in another form that a call of the synthesizer
                takes; a map of another size starts anew.
            instances: instance ids of the same shape, for models with instance edges; class borders serve without.
            style: a latent vector (style_dim,), a photo whose style to take, or a mix.
            seed: of a style that is drawn. Without style and seed that of the last picture stays; where there was none,
                one is drawn.

        Returns:
            (H, W, 3) uint8.

        Raises:
            InputError: more than one map, a label out of range, shapes that do not fit, a style the model cannot take.
                The canvas then is as it was.
        """
        maps, ids = self._synthesizer.read(labels, instances)
        condition = self._synthesizer.condition(maps, ids)
        assert isinstance(condition, SemanticMap)
        if condition.batch != 1:
            raise InputError(f"a canvas takes one label map (H, W); got {condition.batch} of them")
        height, width = maps.shape[-2:]
        wanted, chosen = self._wanted, self._style
        if wanted is None or style is not None or seed is not None:
            wanted, chosen = (style, torch.Generator().seed() if seed is None else seed), None
        # SPADE's style is a vector whatever the map is; others' may have a part for each region or pixel of the map.
        if self._incremental is None or chosen is None:
            chosen = self._synthesizer.style(condition, (height, width), *wanted)
        draw = self._synthesizer.generator if self._incremental is None else self._incremental.update
        photo: Tensor = draw(condition, chosen)
        self._wanted, self._style = wanted, chosen
        picture: Pixels = to_pixels(photo[:, :, :height, :width])[0]
        return picture
