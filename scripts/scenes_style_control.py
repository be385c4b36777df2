"""Does a style photo control the light of the picture? Measured on held-out procedural scenes, whose light is known.

No classifier judges: pictures are compared by the mean colours of their classes, and what a landscape looks like in
every lighting can be rendered. Each held-out map is synthesised in two styles:

- *own*: that of its own photo. Right if the picture is nearer to that photo than to the same scene in any other light.
- *transfer*: that of a photo of another landscape in another light. Right if the picture is nearer to its own landscape
  in that light than in any other; and, in the colours of the classes that both have, nearer to the style photo than to
  the style photo's landscape in any other light. "Way" is how far the colours moved from those in the own style to
  those of the landscape in the new light: 0 % is not at all, 100 % is all of it.

    python scripts/scenes_style_control.py runs/quickstart/checkpoints/last.ckpt
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from i2i.data.paired import Sample
from i2i.data.scenes import LIGHTINGS, Scenes, render
from i2i.synthesizer import Synthesizer

Photo = NDArray[np.uint8]
Synthesise = Callable[[Sample, Photo], Photo]
"""The picture of a scene's label map in the style of a photo."""


@dataclass
class Control:
    """What was counted, by lighting.

    Attributes:
        tried: scenes of this light, and styles of it.
        own: pictures in the style of the own photo that are nearest to it.
        scene: pictures in the style of another photo that are nearest to their landscape in its light.
        style: those that are nearest to the style photo itself.
        before: distances of the pictures in the own style to the landscape in the new light.
        after: of the pictures in the new style.
    """

    tried: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    scene: Counter[str] = field(default_factory=Counter)
    style: Counter[str] = field(default_factory=Counter)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    @property
    def way(self) -> float:
        """Share of the way to the colours of the new light."""
        return 1 - float(np.mean(self.after) / np.mean(self.before))


def class_means(photo: Photo, labels: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """(classes, 3) mean colours, nan for a class that is not there."""
    counts = np.bincount(labels.ravel(), minlength=classes)
    sums = [np.bincount(labels.ravel(), photo[:, :, c].ravel(), minlength=classes) for c in range(3)]
    with np.errstate(invalid="ignore"):
        return np.stack(sums, 1) / counts[:, None]


def measure(synthesise: Synthesise, scenes: Scenes, count: int) -> Control:
    """Synthesise the first test scenes in both styles, and compare.

    Args:
        synthesise: what is measured.
        scenes: with at least ``count`` + 1 test scenes, of all lightings.
        count: how many.
    """
    held_out, classes, found = scenes.split("test"), scenes.encoding.num_classes, Control()
    for index in track(range(count), description="Synthesising held-out scenes"):
        sample, lighting = held_out.read(index), scenes.lighting("test", index)
        others = [other for other in LIGHTINGS if other != lighting]
        new = others[index % len(others)]
        in_light = {other: _rendered(scenes, index, other) for other in LIGHTINGS}
        styles = {other: _rendered(scenes, index + 1, other) for other in LIGHTINGS}

        def means(sample: Sample, photo: Photo | None = None) -> NDArray[np.float64]:
            return class_means(sample.photo if photo is None else photo, sample.labels, classes)

        own = means(sample, synthesise(sample, sample.photo))
        moved = means(sample, synthesise(sample, styles[new].photo))
        scene = {other: means(rendered) for other, rendered in in_light.items()}
        photos = {other: means(rendered) for other, rendered in styles.items()}
        found.tried[lighting] += 1
        found.given[new] += 1
        found.own[lighting] += _nearest(own, scene) == lighting
        found.scene[new] += _nearest(moved, scene) == new
        found.style[new] += _nearest(moved, photos) == new
        found.before.append(_distance(own, scene[new]))
        found.after.append(_distance(moved, scene[new]))
    return found


def report(found: Control) -> str:
    """The shares, in all and by lighting."""
    lines = [f"{'':>10}  own style    transferred: by its landscape, by the style photo"]
    for lighting in LIGHTINGS:
        tried, given = found.tried[lighting], found.given[lighting]
        own, scene, style = (c[lighting] for c in (found.own, found.scene, found.style))
        lines.append(f"{lighting:>10}: {own} of {tried}   {scene} of {given}, {style} of {given}")
    total = found.tried.total()
    lines += [
        f"own style: nearest to the photo given, of {len(LIGHTINGS)} lightings: {found.own.total()} of {total}",
        f"share: {found.own.total() / total:.1%}",
        f"style of another landscape: nearest to the own landscape in its light: {found.scene.total() / total:.1%}",
        f"style of another landscape: nearest to the style photo itself: {found.style.total() / total:.1%}",
        f"way from the colours of the own light to those of the new one: {found.way:.1%}",
    ]
    return "\n".join(lines)


def main() -> None:
    """Print what :func:`report` says of a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=200, help="held-out scenes (default 200)")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    synthesizer = Synthesizer.load(options.model, device=options.device)
    scenes = Scenes(size=synthesizer.resize.size, train=1, val=1, test=options.count + 1)

    def synthesise(sample: Sample, style: Photo) -> Photo:
        return synthesizer(sample.labels, sample.instances, style=style, seed=0)[0]

    print(report(measure(synthesise, scenes, options.count)))


def _rendered(scenes: Scenes, index: int, lighting: str) -> Sample:
    return render(scenes.layout_seed("test", index), scenes.size, lighting)


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean difference of the colours of the classes that both have."""
    return float(np.nanmean(np.abs(a - b)))


def _nearest(means: NDArray[np.float64], candidates: dict[str, NDArray[np.float64]]) -> str:
    return min(candidates, key=lambda name: _distance(means, candidates[name]))


if __name__ == "__main__":
    main()
