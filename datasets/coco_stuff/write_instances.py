"""Write COCO's instance maps: the stuff-and-things map, overwritten by the polygons of the things.

    python write_instances.py instances_val2017.json stuffthingmaps/val2017 instances/val2017

Each thing gets the id 1000, 1001, … of its image, so no id is that of a class; crowds, which have no polygons, keep the
class of the map. The maps are 16-bit PNGs. Those that exist are left alone, so that an interrupted run can go on.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rich.progress import track

FIRST_ID = 1000


def instance_map(labels: Image.Image, things: list[list[list[float]]]) -> Image.Image:
    """The 16-bit instance map of one image.

    Args:
        labels: the 8-bit label map.
        things: of each thing its polygons, each a list x0, y0, x1, y1, … in pixels.
    """
    ids = Image.fromarray(np.asarray(labels).astype(np.int32))
    draw = ImageDraw.Draw(ids)
    for number, polygons in enumerate(things):
        for polygon in polygons:
            if len(polygon) >= 6:  # fewer than three corners enclose nothing
                draw.polygon(polygon, fill=FIRST_ID + number)
    return Image.fromarray(np.asarray(ids).astype(np.uint16))


def main() -> None:
    """Read the annotations and write one map per label map."""
    parser = argparse.ArgumentParser(description="Write COCO's instance maps.")
    parser.add_argument("annotations", type=Path, help="instances_train2017.json or instances_val2017.json")
    parser.add_argument("labels", type=Path, help="folder stuffthingmaps/<split>")
    parser.add_argument("out", type=Path, help="folder instances/<split>")
    options = parser.parse_args()

    things = defaultdict(list)
    for annotation in json.loads(options.annotations.read_text())["annotations"]:
        if isinstance(annotation["segmentation"], list):
            things[annotation["image_id"]].append(annotation["segmentation"])
    options.out.mkdir(parents=True, exist_ok=True)
    for path in track(sorted(options.labels.glob("*.png")), description="Writing instance maps"):
        target = options.out / path.name
        if not target.exists():
            unfinished = target.with_suffix(".tmp")
            instance_map(Image.open(path), things[int(path.stem)]).save(unfinished, format="PNG")
            unfinished.rename(target)


if __name__ == "__main__":
    main()
