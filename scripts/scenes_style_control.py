"""Does a style photo control the light of the picture? Measured on held-out procedural scenes, whose light is known.

Each held-out map is synthesised in the style of its own photo. The picture counts as right if, by the mean colours of
its classes, it is nearer to that photo than to the same scene rendered in any of the other lightings.

    python scripts/scenes_style_control.py runs/quickstart/checkpoints/last.ckpt
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from i2i.data.scenes import LIGHTINGS, Scenes, render
from i2i.synthesizer import Synthesizer


def class_means(photo: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """(classes, 3) mean colours, nan for a class that is not there."""
    counts = np.bincount(labels.ravel(), minlength=classes)
    sums = [np.bincount(labels.ravel(), photo[:, :, c].ravel(), minlength=classes) for c in range(3)]
    with np.errstate(invalid="ignore"):
        return np.stack(sums, 1) / counts[:, None]


def main() -> None:
    """Print the share of right pictures, in all and by lighting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=200, help="held-out scenes (default 200)")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    synthesizer = Synthesizer.load(options.model, device=options.device)
    scenes = Scenes(size=synthesizer.resize.size, train=1, val=1, test=options.count)
    held_out, classes = scenes.split("test"), scenes.encoding.num_classes
    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for index in track(range(options.count), description="Synthesising held-out scenes"):
        sample, lighting = held_out.read(index), scenes.lighting("test", index)
        labels, ids = torch.from_numpy(sample.labels)[None], torch.from_numpy(sample.instances)[None]
        fake = class_means(synthesizer(labels, ids, style=sample.photo, seed=0)[0], sample.labels, classes)
        distances = {}
        for other in LIGHTINGS:
            photo = (
                sample.photo
                if other == lighting
                else render(scenes.layout_seed("test", index), sample.labels.shape, other).photo
            )
            distances[other] = np.nanmean(np.abs(fake - class_means(photo, sample.labels, classes)))
        tried[lighting] += 1
        right[lighting] += min(distances, key=distances.__getitem__) == lighting
    for lighting in LIGHTINGS:
        print(f"{lighting:>10}: {right[lighting]} of {tried[lighting]}")
    print(f"nearest to the photo given as style, of {len(LIGHTINGS)} lightings: {right.total()} of {tried.total()}")
    print(f"share: {right.total() / tried.total():.1%}")


if __name__ == "__main__":
    main()
