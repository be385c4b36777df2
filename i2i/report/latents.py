"""The latent space on a page: strips between drawn latents, between photos, and from one lighting to another."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import torch
from torch import Tensor

from i2i.data.loading import collate
from i2i.evaluation.painter import Painter
from i2i.latent_strips import Arithmetic, Row, latent_strips
from i2i.nn.generator import drawer
from i2i.photos import Photo, photo_pixels
from i2i.pictures import Pixels, to_pixels
from i2i.report.gallery import Gallery
from i2i.report.page import figure, paragraph, row_of
from i2i.styles import random_of

_STEPS, _GROUP, _LISTED = 7, 4, 400


class ItemLatents:
    """A :class:`i2i.latent_space.LatentSpace`: the pictures of one item of a data set as functions of the style alone.

    Args:
        painter: of a model whose style is a vector.
        item: of the data set.
    """

    def __init__(self, painter: Painter, item: dict[str, Any]) -> None:
        assert painter.generator.style_dim is not None
        self.title = ""
        self.given: Pixels | None = None
        self.style_dim = painter.generator.style_dim
        self._painter = painter
        self._batch = collate([item])

    def latents(self, count: int, seed: int) -> Tensor:
        """(count, style_dim), as the model draws them."""
        random, condition = random_of(seed), self._painter.condition(self._batch, 0)
        source = drawer(self._painter.generator, self._painter.encoder)
        drawn = [source.draw(condition, random) for _ in range(count)]
        return torch.cat([z for z in drawn if z is not None])

    def latent(self, photo: Photo) -> Tensor:
        """(style_dim,), the encoder's mean."""
        return self._painter.style_of(photo_pixels(photo))

    def decode(self, latents: Tensor) -> Pixels:
        """(n, style_dim) -> (n, H, W, 3) uint8."""
        return to_pixels(self._painter.draw(self._batch, latents))


def latent_space(gallery: Gallery, maps: int = 3) -> str:
    """Strips over some of the gallery's maps; nothing for a model whose style is no vector.

    Where there is an encoder, and photos, a second strip of each map leads from the style of its own photo to that of
    another map's; where the data set tells lightings, a last row is the arithmetic between the two commonest.

    Args:
        gallery: writes the pictures.
        maps: how many.
    """
    painter, dataset = gallery.evaluation.painter, gallery.evaluation.dataset
    if painter.generator.style_dim is None:
        return ""
    chosen = gallery.spread(maps)
    html = paragraph(_TEXT, "soft")
    for place, index in enumerate(chosen):
        space = ItemLatents(painter, dataset[index])
        other = chosen[(place + 1) % len(chosen)]
        drawn = latent_strips(space, count=1, steps=_STEPS, ways=["spherical"], seed=painter.seed + 2 * place)
        html += _shown(gallery, index, drawn.strips[0], "drawn", "between two drawn latents")
        photos = _photo(gallery, index), _photo(gallery, other)
        if painter.encoder is not None and other != index and photos[0] is not None and photos[1] is not None:
            found = latent_strips(space, [(photos[0], photos[1])], steps=_STEPS, ways=["spherical"])
            text = f"from the style of its own photo to that of {gallery.names[other]}"
            html += _shown(gallery, index, found.strips[0], "photos", text)
    return html + _lightings(gallery)


def _lightings(gallery: Gallery) -> str:
    """``base + by · (mean of one lighting − mean of another)``; nothing where the data set tells no two of them."""
    evaluation = gallery.evaluation
    source, split = evaluation.data.original, evaluation.wish.split
    told = [source.lighting(split, index) for index in range(min(len(gallery.names), _LISTED))]
    commonest = [name for name, _ in Counter(name for name in told if name is not None).most_common(2)]
    if evaluation.painter.encoder is None or len(commonest) < 2:
        return ""
    members = [[i for i, name in enumerate(told) if name == one][-_GROUP:] for one in commonest]
    away, towards = ([p for i in group if (p := _photo(gallery, i)) is not None] for group in members)
    base = told.index(commonest[0])
    start = _photo(gallery, base)
    if not towards or not away or start is None:
        return ""
    space = ItemLatents(evaluation.painter, evaluation.dataset[base])
    asked = Arithmetic(towards, away, start, by=(-0.5, 0.0, 0.5, 1.0, 1.5))
    results = latent_strips(space, arithmetic=asked, count=0).arithmetic[-1]
    text = (
        f"the style of its own photo + by · (mean of {len(towards)} photos of {commonest[1]} − mean of {len(away)} of "
        f"{commonest[0]}), by {', '.join(f'{one:g}' for one in asked.by)}"
    )
    return _shown(gallery, base, results, "lightings", text)


def _shown(gallery: Gallery, index: int, row: Row, kind: str, text: str) -> str:
    """A row of the page: the map, the pictures, and below them what they are."""
    files = [gallery.write(index, f"{kind}{number}", picture) for number, picture in enumerate(row.pictures)]
    cells = [figure(file, caption) for file, caption in zip(files, row.captions, strict=True)]
    caption = f'<p class="caption">{escape(gallery.names[index])} · {escape(text)}</p>'
    return row_of([figure(gallery.pictures(index)["map"], "label map"), *cells]) + caption


def _photo(gallery: Gallery, index: int) -> Pixels | None:
    item = gallery.evaluation.dataset[index]
    return to_pixels(item["photo"][None])[0] if "photo" in item else None


_TEXT = (
    "One map along spherical ways through the latent space: the style changes, and should change evenly; all else "
    "stays. i2i latents draws more: the linear way beside the spherical one, and the arithmetic of any photos."
)
