"""The ground: what covers it where, and how meadow, sand, water and road look in perspective."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from i2i.data.scenery.canvas import Canvas, Class, Window, colour, mix, ramp
from i2i.data.scenery.layout import Layout, Road, Shore
from i2i.data.scenery.lighting import Lighting
from i2i.data.scenery.noise import Floats, fractal, smooth


class Cover(NamedTuple):
    """What lies where, at points (x, nearness)."""

    labels: NDArray[np.uint8]
    shore: Floats | None  # below 0: water; grows with the way inland
    across: Floats | None  # -1 and 1 are the edges of the road


def distance(nearness: Floats | float) -> Floats:
    """The way to the ground at a nearness, in the unit of the haze."""
    return np.minimum(0.075 * (1 / np.asarray(nearness, np.float32) - 1), np.float32(0.6))


def cover(layout: Layout, x: Floats, nearness: Floats) -> Cover:
    """What covers the ground. ``x`` and ``nearness`` broadcast to 2-D; labels have their common shape."""
    shape = np.broadcast_shapes(x.shape, nearness.shape)
    away = -np.log(nearness + np.float32(0.05))
    labels = np.full(shape, Class.SAND if layout.base == "sand" else Class.GRASS, np.uint8)
    if layout.flowers is not None:
        bloom = smooth(x * 2.2 / (nearness + 0.45), away * 1.5, layout.seed + 11)
        labels[(bloom < layout.flowers) & (nearness > 0.07)] = Class.FLOWERS
    shore = across = None
    if layout.road is not None:
        across = _across(layout.road, x, nearness)
        labels[np.abs(across) < 1] = Class.ROAD
    if layout.shore is not None:
        shore = _shore(layout.shore, x, nearness, away)
        labels[shore < layout.shore.beach] = Class.SAND
        labels[shore < 0] = Class.WATER
    return Cover(labels, shore, across)


def _across(road: Road, x: Floats, nearness: Floats) -> Floats:
    bend = road.sway * np.sin(3 * road.turn / (nearness + 0.2) + road.phase)
    middle = nearness * (road.start + bend) + (1 - nearness) * road.goal
    return np.asarray((x - middle) / (road.half_width * nearness + 0.004), dtype=np.float32)


def _shore(shore: Shore, x: Floats, nearness: Floats, away: Floats) -> Floats:
    """The form's own measure, with bays and headlands."""
    a, b, c, d = shore.place
    if shore.form == "line":
        bays = 0.035 * (0.25 + nearness) * fractal(x * 2, away * 1.5, shore.seed)
        return np.asarray((a * x + b * nearness + c) / (0.3 + nearness) + bays, dtype=np.float32)
    if shore.form == "oval":
        inlets = 0.07 * fractal(x * 2.5, away * 1.5, shore.seed)
        return np.asarray(np.hypot((x - a) / c, (away + np.log(b + 0.05)) / d) - 1 + inlets, dtype=np.float32)
    middle = nearness * (a + c * np.sin(2.4 / (nearness + 0.2) + shore.seed)) + (1 - nearness) * b
    bends = 0.12 * fractal(x * 2.5, away * 2, shore.seed)
    return np.asarray(np.abs(x - middle) / (d * (nearness + 0.02)) - 1 + bends, dtype=np.float32)


def paint_ground(canvas: Canvas, layout: Layout, light: Lighting) -> None:
    """Paint everything below the horizon. The sky and the ridges must stand, for water mirrors them."""
    window = canvas.window(-9, 9, layout.horizon, 1)
    if window is None:
        return
    nearness = np.maximum((window.y - np.float32(layout.horizon)) / np.float32(1 - layout.horizon), np.float32(2e-3))
    found = cover(layout, window.x, nearness)
    present = set(np.unique(found.labels).tolist())
    # Texture coordinates: perspective, but the scale is bounded towards the horizon, where it would become noise.
    u = window.x / (nearness + np.float32(0.12)) ** np.float32(0.75)
    v = np.broadcast_to(-np.log(nearness + np.float32(0.08)), u.shape)
    near = ramp(0.05, 0.4, nearness)
    far = distance(nearness)
    mottle = fractal(u * 2.6, v * 3.0, layout.seed)
    fine = smooth(u * 11, v * 13, layout.seed + 1) * near

    def put(label: Class, painted: Floats) -> None:
        canvas.paint(window, found.labels == label, painted, int(label))

    if Class.GRASS in present or Class.FLOWERS in present:
        tufts = smooth(u * 30, v * 11, layout.seed + 9) * near
        meadow = mix(colour(*light.grass[0]), colour(*light.grass[1]), 0.5 + 0.18 * mottle + 0.1 * fine + 0.13 * tufts)
    if Class.GRASS in present:
        put(Class.GRASS, light.lit(light.snowed(meadow, 0.88 + 0.1 * mottle + 0.06 * fine), 0.62 + 0.08 * mottle, far))
    if Class.FLOWERS in present:
        put(Class.FLOWERS, light.lit(_flowers(u, v, near, meadow, layout, light), 0.68 + 0.08 * mottle, far))
    if Class.SAND in present:
        ripples = np.sin(v * 34 + 2.2 * smooth(u * 1.6, v * 2, layout.seed + 2)) * near
        sand = mix(colour(0.74, 0.60, 0.40), colour(0.94, 0.82, 0.58), 0.5 + 0.2 * mottle + 0.16 * ripples)
        if found.shore is not None:  # wet at the water's edge
            sand = sand * (0.72 + 0.28 * ramp(0.0, 0.09, found.shore))
        lying = np.clip(0.5 + 0.2 * mottle + 0.12 * ripples, 0, 0.8)
        put(Class.SAND, light.lit(light.snowed(sand, lying), 0.66 + 0.06 * ripples, far))
    if found.across is not None and Class.ROAD in present:
        put(Class.ROAD, _road(found.across, nearness, fine, mottle, far, layout, light))
    if found.shore is not None and Class.WATER in present:
        put(Class.WATER, _water(canvas, window, nearness, u, v, found.shore, layout, light))


def _flowers(u: Floats, v: Floats, near: Floats, meadow: Floats, layout: Layout, light: Lighting) -> Floats:
    """Two kinds of blossom among grass, dots near by and a hue in the distance."""
    # Blossoms of one family of hues, so that the class stays recognisable from picture to picture.
    first, second = colour(0.86, 0.22, 0.52), colour(0.62, 0.36, 0.86)
    surface = mix(meadow * 0.9, colour(0.72, 0.32, 0.62), 0.4 + 0.1 * (1 - near))
    for seed, petal in ((3, first), (4, second)):
        dots = ramp(0.3, 0.9, smooth(u * 17, v * 17, layout.seed + seed))
        surface = mix(surface, petal, dots * (0.2 + 0.75 * near))
    gone = 0.45 if light.leaves[1][0] > 0.6 else 0.0  # in autumn most have withered
    surface = mix(surface, colour(0.55, 0.34, 0.24), gone)
    return light.snowed(surface, np.clip(0.7 - 0.2 * smooth(u * 17, v * 17, layout.seed + 3), 0, 0.88))


def _road(
    across: Floats, nearness: Floats, fine: Floats, mottle: Floats, far: Floats, layout: Layout, light: Lighting
) -> Floats:
    """Asphalt with white edges and a dashed middle line."""
    grey = 0.40 + 0.02 * mottle + 0.025 * fine + 0.03 * np.cos(across * 6.3)
    surface = colour(0.98, 0.97, 1.06) * grey
    side = np.abs(across)
    edge = ramp(0.8, 0.84, side) * ramp(0.94, 0.9, side)
    dashes = ramp(0.085, 0.05, side) * (np.sin(np.float32(15.0) / (nearness + np.float32(0.12))) > -0.2)
    surface = mix(surface, colour(0.95, 0.94, 0.88), np.clip(edge + dashes, 0, 1) * 0.9)
    surface = light.snowed(surface, ramp(0.35, 1.0, side + 0.12 * mottle) * 0.75 + 0.12)
    return light.lit(surface, 0.62, far)


def _water(
    canvas: Canvas,
    window: Window,
    nearness: Floats,
    u: Floats,
    v: Floats,
    shore: Floats,
    layout: Layout,
    light: Lighting,
) -> Floats:
    """The mirrored sky and ridges on the colour of the deep, broken by waves; foam at the edge; the sun's path."""
    calm = layout.shore is None or layout.shore.form != "line"
    ripples = smooth(u * 4, v * 34, layout.seed + 8) * ramp(0.1, 0.5, nearness)
    waves = 0.6 * smooth(u * 1.8, v * 16, layout.seed + 7) + ripples
    shift = (0.008 if calm else 0.014) * waves * (0.3 + nearness)
    # The nearest water mirrors the top of the picture: what lies above was never painted.
    rows = np.clip((layout.horizon * (1 - nearness) + shift) * canvas.unit, 0, layout.horizon * canvas.unit - 1)
    columns = np.broadcast_to(np.arange(canvas.photo.shape[2])[window.columns], u.shape)
    mirrored = canvas.photo[:, rows.astype(np.intp), columns]
    depth = ramp(0.0, -0.5, shore)
    deep = mix(colour(0.16, 0.46, 0.50), colour(0.05, 0.26, 0.42), depth)
    own = light.lit(deep * (1 + 0.13 * waves), 0.6, distance(nearness))
    painted = mix(own, mirrored * (0.94 + 0.06 * waves), (0.55 if calm else 0.42) * (1 - 0.35 * nearness))
    painted = light.snowed(painted, np.full_like(u, 0.1) + 0.05 * waves)
    foam = ramp(-0.045, -0.012, shore + 0.006 * waves) * (0.45 if calm else 0.85)
    painted = mix(painted, light.lit(colour(0.92, 0.95, 0.96), 0.6, 0.0), foam)
    sun_x = layout.sun[0]
    path = np.exp(-(((window.x - np.float32(sun_x)) / (0.05 + 0.06 * nearness)) ** 2)) * ramp(-0.1, 1.3, waves)
    glitter = colour(*light.disc) * (np.float32(light.glow[0] * 1.3) * path)
    return np.asarray(np.minimum(painted + glitter, 1), dtype=np.float32)
