"""The rows of pictures: from the previews of the runs, and from the trained models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from i2i.callbacks.checkpoints import LAST
from i2i.data.scenes import LIGHTINGS, Scenes, render
from i2i.foundations.images import Digits
from i2i.foundations.latents import SampleLatents
from i2i.foundations.plots import grid
from i2i.foundations.sampler import Sampler
from i2i.latent_space import LatentSpace
from i2i.latent_strips import Arithmetic, latent_strips
from i2i.latents import Way
from i2i.map_latents import MapLatents
from i2i.pictures import Pixels, contact_sheet
from i2i.synthesizer import Synthesizer
from i2i.tour.station import Shown

Make = Callable[[Mapping[str, Path]], Sequence[Shown]]

_GAP, _HEAD = 4, 18  # of contact sheets, which previews are
_STEPS = 9
_WAYS: tuple[Way, ...] = ("spherical",)
_HOW_FAR = (0.0, 0.5, 1.0, 1.5)


def final(name: str, label: str) -> Make:
    """The last preview of a run of points."""

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        return [Shown(label, _read(_previews(runs[name])[-1]))]

    return make


def finals(labels: Mapping[str, str]) -> Make:
    """The last previews of several runs of points, by the names of the runs."""
    return lambda runs: [shown for name, label in labels.items() for shown in final(name, label)(runs)]


def development(name: str, columns: int = 1, count: int = 3) -> Make:
    """A run's previews from the first to the last, between what is given and what is real where there is such.

    Args:
        name: of the run.
        columns: of a preview: 1 for points, 2 for samples and data, 3 for condition, picture and photo.
        count: previews, spread evenly over the training.
    """

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        files = _previews(runs[name])
        chosen = [files[i] for i in sorted({int(i) for i in np.linspace(0, len(files) - 1, count)})]
        sheets = [_columns(_read(path), columns) for path in chosen]
        made = [
            Shown(f"after epoch {int(path.stem.split('_')[1])}", sheet[max(0, columns - 2)])
            for path, sheet in zip(chosen, sheets, strict=True)
        ]
        before = [Shown("given", sheets[-1][0], sharp=True)] if columns == 3 else []
        return [*before, *made, *([Shown("the data", sheets[-1][-1])] if columns > 1 else [])]

    return make


def samples(labels: Mapping[str, str], count: int = 40, columns: int = 20) -> Make:
    """Random samples of several models of images, by the names of the runs."""

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        return [Shown(label, grid(_sampler(runs[name]).sample(count), columns)) for name, label in labels.items()]

    return make


def ways(labels: Mapping[str, str], rows: int = 2, of_class: int | None = None) -> Make:
    """From one random latent vector to another, in equal steps of the spherical way.

    Args:
        labels: what each model is called, by the name of its run.
        rows: ways in the picture of a model.
        of_class: of all samples, for models that classes condition.
    """

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        shown = []
        for name, label in labels.items():
            found = latent_strips(SampleLatents(_sampler(runs[name]), of_class), count=rows, steps=_STEPS, ways=_WAYS)
            shown.append(Shown(label, contact_sheet([list(row.pictures) for row in found.strips], gap=2)))
        return shown

    return make


def by_class(name: str, rows: int = 5) -> Make:
    """A table of samples: a latent vector a row, a class a column."""

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        sampler = _sampler(runs[name])
        z = sampler.latents(rows, seed=2).repeat_interleave(sampler.num_classes, 0)
        images = sampler.decode(z, list(range(sampler.num_classes)) * rows)
        return [Shown("a latent vector a row, a class a column", grid(images, sampler.num_classes))]

    return make


def reconstructions(labels: Mapping[str, str], count: int = 16) -> Make:
    """Held-out digits, and what each model makes of the latent vectors that its encoder finds for them."""

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        shown: list[Shown] = []
        for name, label in labels.items():
            sampler = _sampler(runs[name])
            real = _digits(sampler.shape[-1], count)
            shown = shown or [Shown("held-out digits", grid(real, count))]
            shown.append(Shown(label, grid(sampler.decode(sampler.latent(real)), count)))
        return shown

    return make


def digit_arithmetic(labels: Mapping[str, str], towards: int, away: int, bases: int = 3, group: int = 12) -> Make:
    """Held-out digits of one class, moved by what the digits of another class have that theirs have not.

    Args:
        labels: what each model, with an encoder, is called, by the name of its run.
        towards: the class whose mean is added.
        away: the class whose mean is taken away, of which the digits are.
        bases: digits that are moved, a row each.
        group: digits of either class whose mean is taken; they are others than those that are moved.
    """

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        shown = []
        for name, label in labels.items():
            sampler = _sampler(runs[name])
            size = sampler.shape[-1]
            added, taken = (list(sampler.latent(_digits(size, bases + group, of)[bases:])) for of in (towards, away))
            begin = sampler.latent(_digits(size, bases, away))
            rows = [_moved(SampleLatents(sampler), Arithmetic(added, taken, z, _HOW_FAR)) for z in begin]
            shown.append(Shown(label, contact_sheet(rows, gap=2)))
        return shown

    return make


def light_arithmetic(name: str, towards: str, away: str, base: str, maps: int = 2, group: int = 4) -> Make:
    """Held-out label maps in a photo's style, moved by what photos in one light have and those in another have not.

    Args:
        name: of the run.
        towards, away: lights; the mean of photos in the one is added, of photos in the other taken away.
        base: the light of the photo that is moved.
        maps: label maps, a row each.
        group: photos in either light.
    """

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        synthesizer = _synthesizer(runs[name])
        size = _size(synthesizer)
        added, taken = ([_photo(30_000 + i, size, light) for i in range(group)] for light in (towards, away))
        asked = Arithmetic(added, taken, _photo(40_000, size, base), _HOW_FAR)
        rows = [
            [colours, *_moved(MapLatents(synthesizer, labels, instances), asked)]
            for labels, instances, colours in _held_out(synthesizer, maps)
        ]
        captions = ["", towards, away, base, *(f"+ {by:g}" for by in _HOW_FAR[1:])]
        return [Shown(f"{base} + {towards} - {away}", contact_sheet(rows, captions))]

    return make


def lightings(name: str, maps: int = 3) -> Make:
    """Held-out label maps in the styles of photos of other landscapes, one in each light."""

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        synthesizer = _synthesizer(runs[name])
        size = _size(synthesizer)
        photos = [_photo(10_000 + i, size, lighting) for i, lighting in enumerate(LIGHTINGS)]
        rows: list[list[Pixels]] = [[np.full_like(photos[0], 255), *photos]]
        for labels, instances, colours in _held_out(synthesizer, maps):
            rows.append([colours, *synthesizer(labels, instances, style=photos)])
        return [Shown("on top the photos that give their style", contact_sheet(rows, ["", *LIGHTINGS]))]

    return make


def between_styles(name: str, maps: int = 2) -> Make:
    """Held-out label maps on the spherical way from the style of one photo to that of another."""

    def make(runs: Mapping[str, Path]) -> list[Shown]:
        synthesizer = _synthesizer(runs[name])
        ends = [_photo(20_000, _size(synthesizer), lighting) for lighting in (LIGHTINGS[0], LIGHTINGS[-1])]
        held_out = _held_out(synthesizer, maps)
        spaces = [MapLatents(synthesizer, labels, instances) for labels, instances, _ in held_out]
        found = latent_strips(spaces, [(ends[0], ends[1])], steps=_STEPS, ways=_WAYS)
        rows = [[one[2], *row.pictures] for one, row in zip(held_out, found.strips, strict=True)]
        return [Shown(f"the map; then from {LIGHTINGS[0]} to {LIGHTINGS[-1]}", contact_sheet(rows))]

    return make


def _previews(run: Path) -> list[Path]:
    return sorted((run / "previews").glob("epoch_*.png"))


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _columns(sheet: Pixels, count: int) -> list[Pixels]:
    """The columns of a contact sheet with captions; a picture without columns as it is."""
    if count == 1:
        return [sheet]
    width = (sheet.shape[1] - _GAP) // count
    return [sheet[_HEAD + _GAP : -_GAP, _GAP + i * width : (i + 1) * width] for i in range(count)]


def _sampler(run: Path) -> Sampler:
    return Sampler.load(run / "checkpoints" / LAST)


def _synthesizer(run: Path) -> Synthesizer:
    return Synthesizer.load(run / "checkpoints" / LAST)


def _moved(space: LatentSpace, asked: Arithmetic) -> list[Pixels]:
    """Of the mean that is added and of the one that is taken away, then from the base as far as is asked."""
    towards, away, result = latent_strips(space, arithmetic=asked, count=0).arithmetic
    return [towards.pictures[-1], away.pictures[-1], *result.pictures]


def _digits(size: int, count: int, of_class: int | None = None) -> Tensor:
    """(count, 1, size, size), digits that were held out."""
    split = Digits(size, classes=True).split("test")
    assert split.classes is not None
    chosen = split.samples if of_class is None else split.samples[split.classes == of_class]
    return chosen[:count]


def _size(synthesizer: Synthesizer) -> tuple[int, int]:
    assert synthesizer.resize is not None
    size = synthesizer.resize.size
    assert size is not None
    return size


def _photo(seed: int, size: tuple[int, int], lighting: str) -> Pixels:
    photo = render(seed, size, lighting).photo
    assert photo is not None
    return photo


def _held_out(synthesizer: Synthesizer, count: int) -> list[tuple[Tensor, Tensor, Pixels]]:
    """Label map and instances (1, H, W) of landscapes of the test split, and the map in the classes' colours."""
    scenes = Scenes(size=_size(synthesizer), train=1, val=1, test=count)
    found = []
    for index in range(count):
        sample = scenes.split("test").read(index)
        assert sample.labels is not None and sample.instances is not None
        labels, instances = (torch.from_numpy(np.ascontiguousarray(m))[None] for m in (sample.labels, sample.instances))
        found.append((labels, instances, synthesizer.to_rgb(labels)[0]))
    return found
