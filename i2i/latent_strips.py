"""Pictures along lines through a latent space: from one latent to another, and arithmetic of latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from itertools import count as count_from
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.latent_space import LatentSpace, Place, is_photo, latent_at, name_of
from i2i.latents import Way, interpolated, moved
from i2i.numbers import whole_number
from i2i.photos import photo_pixels
from i2i.pictures import Pixels
from i2i.sheet import Band, banded_sheet

BOTH: tuple[Way, ...] = ("spherical", "linear")


@dataclass(frozen=True)
class Arithmetic:
    """``base + by · (mean of towards − mean of away)`` (Radford et al. 2016, DCGAN, section 6.3.2).

    Attributes:
        towards: places that have in common what is to be added.
        away: places that have in common what it is to take the place of.
        base: where it begins.
        by: how far to go; 0 is the base itself.
    """

    towards: Sequence[Place]
    away: Sequence[Place]
    base: Place
    by: Sequence[float] = (0.0, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Row:
    """Pictures of some latents, all else the same.

    Attributes:
        name: of its latents.
        space: whose pictures these are, by its place among the spaces given.
        title: what is to be seen.
        captions: of the pictures.
        latents: (n, style_dim).
        pictures: (n, H, W, 3) uint8.
        given: what the model was given beside the latents; None where there is nothing to show.
        photos: those that the latents are of, where they are of photos; with the first space alone.
    """

    name: str
    space: int
    title: str
    captions: list[str]
    latents: Tensor
    pictures: Pixels
    given: Pixels | None = None
    photos: tuple[Pixels | None, ...] = ()


@dataclass(frozen=True)
class LatentStrips:
    """What :func:`latent_strips` makes.

    Attributes:
        strips: a row for each pair, model or map, and way.
        arithmetic: rows of the two groups and of the results; none where none was asked for.
    """

    strips: list[Row]
    arithmetic: list[Row]

    @property
    def sheet(self) -> Pixels | None:
        """(H, W, 3) uint8, the strips, each after what was given beside the latents; None where there are none."""
        return _sheet(self.strips) if self.strips else None

    @property
    def arithmetic_sheet(self) -> Pixels | None:
        """(H, W, 3) uint8, the arithmetic; None where none was asked for."""
        return _sheet(self.arithmetic) if self.arithmetic else None

    @property
    def latents(self) -> dict[str, Tensor]:
        """The latents (n, style_dim) of each row, by its name."""
        return {row.name: row.latents for row in [*self.strips, *self.arithmetic]}


@torch.no_grad()
def latent_strips(
    spaces: LatentSpace | Sequence[LatentSpace],
    pairs: Sequence[tuple[Place, Place]] = (),
    arithmetic: Arithmetic | None = None,
    count: int = 3,
    steps: int = 9,
    ways: Sequence[Way] = BOTH,
    seed: int = 0,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> LatentStrips:
    """Strips from latent to latent, one way and the other below each other, and arithmetic of latents.

    >>> space = MapLatents(synthesizer, "map.png")
    >>> found = latent_strips(space, count=2, steps=5, seed=7)  # between seeds 7 and 8, and between 9 and 10
    >>> [row.name for row in found.strips]
    ['strip0_spherical', 'strip0_linear', 'strip1_spherical', 'strip1_linear']
    >>> found.strips[0].pictures.shape
    (5, 64, 64, 3)
    >>> found.latents["strip0_linear"].shape
    torch.Size([5, 6])
    >>> evening = Arithmetic(towards=["evening.jpg", "dusk.jpg"], away=["noon.jpg"], base=3)
    >>> sheet = latent_strips(space, [("noon.jpg", "evening.jpg")], evening).arithmetic_sheet

    Args:
        spaces: a model with a latent, such as :class:`i2i.map_latents.MapLatents`; or the same model with several
            things given, such as label maps, whose rows then have the same latents.
        pairs: from where to where; by default they are drawn.
        arithmetic: what to add and to take away.
        count: how many pairs are drawn: the first from ``seed`` to ``seed + 1``, the second from ``seed + 2``, …; 0 for
            arithmetic alone.
        steps: pictures of a strip, both ends included.
        ways: see :data:`i2i.latents.Way`.
        seed: of the first latent that is drawn.
        progress: told how many pictures are made, and how many there will be.

    Returns:
        Rows of pictures with their latents, and sheets of them.

    Raises:
        InputError: a number out of range, an empty group, or a place that the model does not have.
    """
    each = list(spaces) if isinstance(spaces, Sequence) else [spaces]
    for what, number, least in (("count", count, 0), ("steps", steps, 2), ("seed", seed, 0), ("spaces", len(each), 1)):
        if whole_number(number, what) < least:
            raise InputError(f"{what} is {number}; allowed are {least} and more")
    drawn = pairs or [(seed + 2 * i, seed + 2 * i + 1) for i in range(count)]
    strips = [_strips(each[0], number, a, b, steps, ways) for number, (a, b) in enumerate(drawn)]
    groups = [] if arithmetic is None else _arithmetic(each[0], arithmetic)
    total = len(each) * sum(len(row.latents) for row in [*chain(*strips), *groups])
    made = count_from(1)

    def decoded(row: _Planned, number: int) -> Row:
        space, pictures = each[number], []
        for latent in row.latents:  # one at a time: a picture does not depend on its neighbours, not even in a bit
            pictures.append(space.decode(latent[None])[0])
            progress(next(made), total)
        title = f"{row.title} · {space.title}" if space.title else row.title
        photos = () if number else row.photos
        return Row(row.name, number, title, row.captions, row.latents, np.stack(pictures), space.given, photos)

    return LatentStrips(
        strips=[decoded(row, number) for pair in strips for number in range(len(each)) for row in pair],
        arithmetic=[decoded(row, number) for row in groups for number in range(len(each))],
    )


class _Planned(NamedTuple):
    name: str
    title: str
    captions: list[str]
    latents: Tensor
    photos: tuple[Pixels | None, ...] = ()


def _strips(space: LatentSpace, number: int, a: Place, b: Place, steps: int, ways: Sequence[Way]) -> list[_Planned]:
    ends = latent_at(space, a), latent_at(space, b)
    captions = [f"{weight:.3g}" for weight in np.linspace(0, 1, steps)]
    photos = _photo(a), *[None] * (steps - 2), _photo(b)
    rows: list[_Planned] = []
    for way in ways:
        latents = interpolated(*ends, steps, way)
        lengths = ", ".join(f"{float(latents[at].norm()):.1f}" for at in (0, steps // 2, -1))
        title = f"{name_of(a)} to {name_of(b)} · {way} (lengths {lengths})"
        rows.append(_Planned(f"strip{number}_{way}", title, captions, latents, () if rows else photos))
    return rows


def _arithmetic(space: LatentSpace, asked: Arithmetic) -> list[_Planned]:
    if not asked.by:
        raise InputError("by is empty; it is one number or more: how far to go")
    groups = {name: [latent_at(space, one) for one in getattr(asked, name)] for name in ("towards", "away")}
    base = latent_at(space, asked.base)
    results = torch.stack([moved(base, groups["towards"], groups["away"], by) for by in asked.by])
    rows = []
    for name, latents in groups.items():
        places: Sequence[Place] = getattr(asked, name)
        stacked = torch.stack([*latents, torch.stack(latents).mean(0)])
        captions = [*map(name_of, places), "mean"]
        rows.append(_Planned(name, name, captions, stacked, tuple(map(_photo, places))))
    title = f"base ({name_of(asked.base)}) + by · (mean of towards - mean of away)"
    captions = [f"by {by:g}" for by in asked.by]
    return [*rows, _Planned("result", title, captions, results, (_photo(asked.base),))]


def _photo(place: Place) -> Pixels | None:
    return photo_pixels(place) if is_photo(place) else None


def _sheet(rows: Sequence[Row]) -> Pixels:
    bands = []
    for row in rows:
        first = [] if row.given is None else [row.given]
        if any(photo is not None for photo in row.photos):
            cells = [*[None] * len(first), *row.photos]
            bands.append(Band("photos of the row below", cells, [""] * len(cells)))
        bands.append(Band(row.title, [*first, *row.pictures], [*[""] * len(first), *row.captions]))
    return banded_sheet(bands)
