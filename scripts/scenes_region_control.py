"""Do the colours of a region follow its own style photo? Measured on held-out procedural scenes, whose light is known.

Each held-out map is synthesised in the style of its own scene under one lighting, but some classes take their style
from the photo of another scene under another lighting. By mean colours of classes the picture is compared with the own
scene in all lightings: the chosen classes should be nearest to the second lighting, all others to the first.

    python scripts/scenes_region_control.py runs/scenes-sean/checkpoints/last.ckpt --picture mixed.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from scenes_style_control import class_means

from i2i.data.scenes import LIGHTINGS, Scenes, render
from i2i.photos import LabelledPhoto
from i2i.pictures import contact_sheet, write_png
from i2i.synthesizer import Synthesizer

HEADINGS = ["label map", "its scene", "other scene", "synthesised", "only the first"]


def nearest(means: NDArray[np.float64], scene: dict[str, NDArray[np.float64]], chosen: NDArray[np.bool_]) -> str:
    """The lighting of the scene whose mean colours of the chosen classes are nearest."""
    return min(scene, key=lambda lighting: float(np.nanmean(np.abs(means - scene[lighting])[chosen])))


def main() -> None:
    """Print the two shares, and write a contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=200, help="held-out scenes (default 200)")
    parser.add_argument("--regions", nargs="+", default=["sky"], metavar="CLASS", help="that change (default sky)")
    parser.add_argument("--picture", type=Path, help="where to write the first six as pictures")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    synthesizer = Synthesizer.load(options.model, device=options.device)
    size = synthesizer.resize.size
    scenes = Scenes(size=size, train=1, val=1, test=2 * options.count)
    names, classes = scenes.encoding.classes.names, scenes.encoding.num_classes
    chosen = np.isin(np.arange(classes), [names.index(name) for name in options.regions])
    random = np.random.default_rng(0)
    tried = moved = stayed = 0
    rows = []
    for index in track(range(options.count), description="Synthesising held-out scenes"):
        first, second = random.choice(LIGHTINGS, 2, replace=False)
        seed = scenes.layout_seed("test", index)
        scene = {lighting: render(seed, size, lighting) for lighting in LIGHTINGS}
        own, other = scene[first], render(scenes.layout_seed("test", options.count + index), size, second)
        there = np.isin(np.arange(classes), own.labels)
        if not all(np.isin(np.flatnonzero(chosen & there), other.labels)) or not (chosen & there).any():
            continue  # the other photo has not what is to be taken from it
        regions = {int(c): LabelledPhoto(other.photo, other.labels) for c in np.flatnonzero(chosen & there)}
        labels = torch.from_numpy(own.labels)[None]
        fake = synthesizer(labels, style=LabelledPhoto(own.photo, own.labels), features=regions)[0]
        means = class_means(fake, own.labels, classes)
        of_scene = {name: class_means(sample.photo, own.labels, classes) for name, sample in scene.items()}
        tried += 1
        moved += nearest(means, of_scene, chosen) == second
        stayed += nearest(means, of_scene, ~chosen) == first
        if len(rows) < 6:
            plain = synthesizer(labels, style=LabelledPhoto(own.photo, own.labels))[0]
            rows.append([scenes.encoding.classes.colourise(own.labels), own.photo, other.photo, fake, plain])
    print(f"{tried} scenes; a guess among {len(LIGHTINGS)} lightings is right in {1 / len(LIGHTINGS):.0%}")
    print(f"{', '.join(options.regions)} nearest to the lighting of their own photo: {moved} ({moved / tried:.1%})")
    print(f"all other classes nearest to the lighting of theirs: {stayed} ({stayed / tried:.1%})")
    if options.picture is not None:
        write_png(options.picture, contact_sheet(rows, HEADINGS))


if __name__ == "__main__":
    main()
