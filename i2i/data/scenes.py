"""Scenes: the embedded data set of procedural landscapes. No files, no downloads; every pair is painted when read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from i2i.checkpoint import write_atomically
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.paired import SPLITS, Sample, Source
from i2i.data.scenery.landscape import paint
from i2i.data.scenery.layout import draw_layout
from i2i.data.scenery.lighting import STYLES
from i2i.errors import InputError
from i2i.pictures import write_png
from i2i.recipe import recorded

LIGHTINGS = tuple(STYLES)
"""The names of the lighting styles."""

_SMALLEST, _LARGEST = 16, 4096


def render(layout_seed: int, size: tuple[int, int], lighting: str, name: str | None = None) -> Sample:
    """Paint one landscape. The same seed gives the same landscape at any size and under any lighting.

    Args:
        layout_seed: which landscape; any integer from 0 up.
        size: (height, width) in pixels, 16 to 4096. Wider pictures of the same height show more to both sides.
        lighting: one of ``LIGHTINGS``.
        name: of the sample; by default the seed and the lighting.

    Raises:
        InputError: there is no such lighting, or the size is out of range.
    """
    _check(size, [lighting])
    if layout_seed < 0:
        raise InputError(f"layout seed {layout_seed} is negative; allowed are integers from 0 up")
    layout = draw_layout(np.random.default_rng([layout_seed, 0]))
    # The day's variation depends on the landscape and the style, so that photos of one style are not all of one tint.
    light = STYLES[lighting].varied(np.random.default_rng([layout_seed, 1, LIGHTINGS.index(lighting)]))
    photo, labels, instances = paint(layout, light, *size)
    return Sample(name or f"{layout_seed}_{lighting}", photo, labels, instances)


@recorded
class Scenes(Source):
    """Procedural landscapes under several lightings, a pure function of (seed, split, index, size).

    Which landscape and which lighting a sample has are drawn independently, so nothing in a label map tells the
    lighting; see :meth:`lighting`. Instance ids are ``class * 1000 + count`` for the sun, clouds, trees, bushes, rocks,
    houses and boats, and the class for everything else.

    Args:
        size: (height, width) of the pictures, in pixels.
        train: number of training samples.
        val: number of validation samples.
        test: number of test samples.
        seed: another seed gives other landscapes.
        lightings: the styles to draw from; all of ``LIGHTINGS`` by default.
        instances: give instance maps, too.
        cache: megabytes of painted samples that each process keeps, so that later epochs paint nothing; 0 for none.

    Raises:
        InputError: a number, the size or a lighting is not allowed.
    """

    incidental = frozenset({"cache"})

    def __init__(
        self,
        size: tuple[int, int] = (128, 128),
        train: int = 2000,
        val: int = 100,
        test: int = 100,
        seed: int = 0,
        lightings: Sequence[str] | None = None,
        instances: bool = True,
        cache: int = 256,
    ) -> None:
        self.size = (int(size[0]), int(size[1]))
        self.counts = {"train": train, "val": val, "test": test}
        self.seed = seed
        self.lightings = list(LIGHTINGS if lightings is None else lightings)
        self.has_instances = instances
        self.encoding: LabelEncoding = LabelEncoding(ClassTable.load("scenes"))
        _check(self.size, self.lightings)
        self.cache = cache
        for what, number in [*self.counts.items(), ("seed", seed), ("cache", cache)]:
            if number < 0:
                raise InputError(f"scenes: {what} is {number}; allowed are integers from 0 up")

    def split(self, name: str) -> SceneSplit:
        """The split ``train``, ``val`` or ``test``; their landscapes have nothing in common."""
        self._number(name)
        return SceneSplit(self, name)

    def lighting(self, split: str, index: int) -> str:
        """The lighting of a sample: one of ``LIGHTINGS``."""
        chosen = np.random.default_rng([self.seed, self._number(split), index, 1]).integers(len(self.lightings))
        return self.lightings[int(chosen)]

    def layout_seed(self, split: str, index: int) -> int:
        """The landscape of a sample, for :func:`render`."""
        return int(np.random.default_rng([self.seed, self._number(split), index, 0]).integers(1 << 62))

    def _number(self, split: str) -> int:
        if split not in SPLITS:
            raise InputError(f"no split {split!r}; allowed are {', '.join(SPLITS)}")
        return SPLITS.index(split)


class SceneSplit:
    """The samples of one split of :class:`Scenes`; each is painted when it is first read.

    Args:
        scenes: the source.
        split: ``train``, ``val`` or ``test``.
    """

    def __init__(self, scenes: Scenes, split: str) -> None:
        self.scenes = scenes
        self.split = split
        self._painted: dict[int, Sample] = {}
        # photo, labels and instances take 3, 1 and 4 bytes a pixel; all orders are random, so none is worth evicting
        self._room = scenes.cache * 1_000_000 // (8 * scenes.size[0] * scenes.size[1])

    def __len__(self) -> int:
        return self.scenes.counts[self.split]

    def name(self, index: int) -> str:
        """The name of a sample; it does not tell the lighting."""
        return f"{self.split}_{index:05d}"

    def read(self, index: int) -> Sample:
        """Paint one sample, or take it from memory. The arrays are shared: they are not to be written to."""
        if index in self._painted:
            return self._painted[index]
        if not 0 <= index < len(self):
            raise IndexError(f"{self.split} has samples 0 to {len(self) - 1}, not {index}")
        scenes = self.scenes
        seed, lighting = scenes.layout_seed(self.split, index), scenes.lighting(self.split, index)
        sample = render(seed, scenes.size, lighting, self.name(index))
        if not scenes.has_instances:
            sample = Sample(sample.name, sample.photo, sample.labels)
        if len(self._painted) < self._room:
            self._painted[index] = sample
        return sample


def write_scenes(
    out: str | Path, train: int = 2000, val: int = 100, size: tuple[int, int] = (256, 256), seed: int = 0
) -> None:
    """Write scenes as ordinary files, in the layout of :class:`i2i.data.folder.Folder`.

    ``out/classes.csv`` names the classes. ``out/train`` and ``out/val`` hold ``photos/``, ``labels/`` (8-bit) and
    ``instances/`` (16-bit) as PNGs of the same names, and ``lighting.csv`` (name,lighting). Each file appears whole or
    not at all; files of an earlier run are overwritten.

    Args:
        out: the folder; made if need be.
        train: number of training scenes.
        val: number of validation scenes.
        size: (height, width) in pixels.
        seed: as of :class:`Scenes`, which gives the same pictures.

    Raises:
        InputError: a number or the size is not allowed, or a file cannot be written.
    """
    scenes = Scenes(size, train=train, val=val, test=0, seed=seed)
    out = Path(out).expanduser()
    columns = (TextColumn("writing scenes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns) as progress:
            task = progress.add_task("", total=train + val)
            _write_text(out / "classes.csv", scenes.encoding.classes.to_csv())
            for split in (scenes.split(name) for name in ("train", "val") if scenes.counts[name]):
                for index in range(len(split)):
                    _write_sample(out / split.split, split.read(index))
                    progress.advance(task)
                rows = [f"{split.name(i)},{scenes.lighting(split.split, i)}\n" for i in range(len(split))]
                _write_text(out / split.split / "lighting.csv", "name,lighting\n" + "".join(rows))
    except OSError as error:
        raise InputError(f"cannot write scenes to {out}: {error}") from error


def _write_sample(folder: Path, sample: Sample) -> None:
    assert sample.photo is not None and sample.labels is not None and sample.instances is not None
    # Ids of things stay below 15 classes * 1000, so 16 bits hold them.
    layers = {"photos": sample.photo, "labels": sample.labels, "instances": sample.instances.astype(np.uint16)}
    for layer, pixels in layers.items():
        write_png(folder / layer / f"{sample.name}.png", pixels)


def _write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def _check(size: tuple[int, int], lightings: Sequence[str]) -> None:
    if not all(_SMALLEST <= edge <= _LARGEST for edge in size):
        raise InputError(f"scenes: size {tuple(size)} is out of range; height and width are {_SMALLEST} to {_LARGEST}")
    unknown = [name for name in lightings if name not in STYLES]
    if unknown or not lightings:
        raise InputError(f"scenes: no lighting {', '.join(unknown) or 'given'}; allowed are {', '.join(LIGHTINGS)}")
