"""A whole picture: layout and lighting to photo, labels and instances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from i2i.data.scenery.canvas import THING, Canvas, Class
from i2i.data.scenery.ground import cover, paint_ground
from i2i.data.scenery.layout import Layout, Thing
from i2i.data.scenery.lighting import Lighting
from i2i.data.scenery.objects import paint_boat, paint_house, paint_rock, paint_shadow
from i2i.data.scenery.plants import paint_broadleaf, paint_bush, paint_conifer
from i2i.data.scenery.relief import paint_ridge
from i2i.data.scenery.sky import paint_cloud, paint_sky, paint_sun

_PAINTERS = {
    "broadleaf": (paint_broadleaf, Class.TREE),
    "conifer": (paint_conifer, Class.TREE),
    "bush": (paint_bush, Class.BUSH),
    "rock": (paint_rock, Class.ROCK),
    "house": (paint_house, Class.HOUSE),
    "boat": (paint_boat, Class.BOAT),
}
_STANDS_ON = {
    "broadleaf": {Class.GRASS, Class.FLOWERS},
    "conifer": {Class.GRASS, Class.FLOWERS},
    "bush": {Class.GRASS, Class.FLOWERS, Class.SAND},
    "rock": {Class.GRASS, Class.FLOWERS, Class.SAND},
    "house": {Class.GRASS, Class.FLOWERS},
    "boat": {Class.WATER},
}


def paint(
    layout: Layout, light: Lighting, height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int32]]:
    """Paint a landscape: photo (H, W, 3), labels (H, W) and instance ids (H, W).

    An instance id is ``class * 1000 + count`` for a thing that can be counted, and the class for all else.
    """
    canvas = Canvas(height, width)
    paint_sky(canvas, layout, light)
    paint_sun(canvas, layout, light)
    for count, cloud in enumerate(layout.clouds):
        paint_cloud(canvas, cloud, count, layout, light)
    for ridge in layout.ridges:
        paint_ridge(canvas, ridge, layout, light)
    paint_ground(canvas, layout, light)
    things = [(thing, layout.horizon + thing.nearness * (1 - layout.horizon)) for thing in standing(layout)]
    for thing, foot in things:
        paint_shadow(canvas, thing, foot, layout, light)
    for count, (thing, foot) in enumerate(things):
        painter, label = _PAINTERS[thing.kind]
        painter(canvas, thing, foot, int(label) * THING + count, layout, light)
    photo, instances = canvas.finish()
    labels = np.where(instances >= THING, instances // THING, instances).astype(np.uint8)
    return photo, labels, instances


def standing(layout: Layout) -> list[Thing]:
    """The candidates that the ground allows: all of the foot is on what they may stand on."""
    if not layout.candidates:
        return []
    across = np.linspace(-0.36, 0.36, 9)[:, None]
    x = np.array([thing.x for thing in layout.candidates])
    near = np.array([thing.nearness for thing in layout.candidates])
    reach = np.array([thing.size * (2.4 if thing.kind == "house" else 0.6) for thing in layout.candidates]) * near
    points = (x + across * reach).astype(np.float32)
    labels = cover(layout, points, np.broadcast_to(near, points.shape).astype(np.float32)).labels
    return [
        thing
        for thing, under in zip(layout.candidates, labels.T, strict=True)
        if all(int(label) in _STANDS_ON[thing.kind] for label in under)
    ]
