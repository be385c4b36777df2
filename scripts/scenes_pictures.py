"""Contact sheets of a model that was trained on the procedural scenes: held-out maps, and one map in many styles.

python scripts/scenes_pictures.py runs/quickstart/checkpoints/last.ckpt runs/quickstart/pictures
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from i2i.data.scenes import LIGHTINGS, Scenes, render
from i2i.pictures import contact_sheet, write_png
from i2i.synthesizer import Synthesizer


def main() -> None:
    """Write comparison.png and styles.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=8, help="held-out maps in the comparison (default 8)")
    options = parser.parse_args()
    synthesizer = Synthesizer.load(options.model, device="auto")
    size = synthesizer.resize.size
    scenes = Scenes(size=size, train=1, val=1, test=max(options.count, 1))
    held_out = scenes.split("test")
    colourise = scenes.encoding.classes.colourise

    rows = []
    for index in range(options.count):
        sample = held_out.read(index)
        labels, ids = torch.from_numpy(sample.labels)[None], torch.from_numpy(sample.instances)[None]
        fake = synthesizer(labels, ids, style=sample.photo, seed=0)[0]
        rows.append([colourise(sample.labels), fake, sample.photo])
    half = (len(rows) + 1) // 2
    pairs = [left + (rows[half + i] if half + i < len(rows) else []) for i, left in enumerate(rows[:half])]
    write_png(options.out / "comparison.png", contact_sheet(pairs, ["label map", "synthesised", "real"] * 2))

    rows = []
    for index in range(3):
        sample = held_out.read(index)
        labels, ids = torch.from_numpy(sample.labels)[None], torch.from_numpy(sample.instances)[None]
        styles = [render(10_000 + i, size, lighting).photo for i, lighting in enumerate(LIGHTINGS)]
        fakes = [synthesizer(labels, ids, style=photo, seed=0)[0] for photo in styles]
        rows += [[colourise(sample.labels), *fakes]]
    styles_row = [colourise(sample.labels) * 0 + 255, *styles]
    write_png(options.out / "styles.png", contact_sheet([styles_row, *rows], ["", *LIGHTINGS]))


if __name__ == "__main__":
    main()
