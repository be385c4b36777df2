"""What rises above the horizon: chains of mountains and hills, and swells of the ground."""

from __future__ import annotations

import numpy as np

from i2i.data.scenery.canvas import Canvas, Class, colour, mix, ramp
from i2i.data.scenery.layout import Layout, Ridge
from i2i.data.scenery.lighting import Lighting
from i2i.data.scenery.noise import Floats, fractal, relief, smooth

_REACH = 1.6  # chains are as long as the widest picture


def paint_ridge(canvas: Canvas, ridge: Ridge, layout: Layout, light: Lighting) -> None:
    """Paint one chain from its crest down to the horizon."""
    window = canvas.window(-9, 9, layout.horizon - 1.25 * ridge.height, layout.horizon + 0.01)
    if window is None:
        return
    x, y = window.x, window.y
    if ridge.kind == "mountain":
        crest, sides = _peaks(x, ridge)
        below = y - (layout.horizon - crest)
        painted, code = _mountain(x, y, sides, below, ridge, layout, light), Class.MOUNTAIN
    else:
        crest, slope = _waves(x, ridge)
        below = y - (layout.horizon - crest)
        if ridge.kind == "hill":
            painted, code = _hill(x, below, slope, ridge, layout, light), Class.HILL
        else:
            painted = _swell(x, below, slope, ridge, layout, light)
            code = Class.SAND if layout.base == "sand" else Class.GRASS
    canvas.paint(window, below > 0, painted, int(code))


def _peaks(x: Floats, ridge: Ridge) -> tuple[Floats, Floats]:
    """The crest's height above the horizon, and the signed distance from the middle of the peak that makes it."""
    rng = np.random.default_rng(ridge.seed)
    places = np.arange(-_REACH, _REACH, 0.3) + rng.uniform(-0.12, 0.12, int(np.ceil(2 * _REACH / 0.3)))
    heights = ridge.height * rng.uniform(0.45, 1.0, len(places))
    widths = heights * rng.uniform(1.0, 1.6, len(places)) + 0.08
    knots = np.linspace(-_REACH, _REACH, 140)
    jags = np.interp(x[0], knots, rng.uniform(-1.4, 1.4, len(knots)))
    away = x[0][None] - places[:, None]
    tents = heights[:, None] * (1 - np.abs(away) / widths[:, None])
    owner = tents.argmax(0)
    crest = np.maximum(tents.max(0), 0.12 * ridge.height) + 0.035 * ridge.height * jags
    sides = np.take_along_axis(away, owner[None], 0)
    return crest[None].astype(np.float32), sides.astype(np.float32)


def _mountain(
    x: Floats, y: Floats, sides: Floats, below: Floats, ridge: Ridge, layout: Layout, light: Lighting
) -> Floats:
    rough = fractal(x * 5, y * 4, ridge.seed)
    # Arêtes and valleys wander as they descend: each pixel looks up the peak of a column a little to the side.
    wander = 0.45 * below * rough
    columns = np.arange(x.shape[1]) + (wander / (x[0, 1] - x[0, 0])).astype(np.intp)
    facing = ramp(-0.02, 0.02, (sides[0][np.clip(columns, 0, x.shape[1] - 1)] + wander) * np.float32(layout.light))
    shade = np.clip(0.12 + 0.75 * facing + 0.13 * relief(x * 7, y * 5, ridge.seed) * layout.light, 0, 1.2)
    altitude = (layout.horizon - y) / np.float32(ridge.height) + 0.07 * rough
    stone = colour(0.66, 0.40, 0.28) if layout.kind == "desert" else colour(0.44, 0.42, 0.44)
    forest = mix(colour(*light.leaves[0]), colour(*light.leaves[1]), 0.45)
    green = 0.0 if layout.kind == "desert" else 0.75 * ramp(0.42, 0.2, altitude)
    surface = mix(mix(stone * 0.92, stone * 1.1, ramp(-1, 1, rough)), forest, green)
    if layout.kind != "desert" and ridge.height > 0.13:
        line = 0.58 - 0.02 * below / ridge.height
        surface = mix(surface, colour(0.94, 0.95, 0.99), ramp(0.0, 0.07, altitude - line))
    surface = light.snowed(surface, 0.75 * ramp(-0.7, 0.6, rough * 0.5 + altitude))
    return light.lit(surface, shade, ridge.distance + 0.25 * np.clip(1 - altitude, 0, 1))


def _waves(x: Floats, ridge: Ridge) -> tuple[Floats, Floats]:
    """A soft crest and its slope."""
    rng = np.random.default_rng(ridge.seed)
    crest, slope = np.full_like(x, 0.6), np.zeros_like(x)
    for frequency, amplitude in ((3.1, 0.24), (5.7, 0.12), (11.0, 0.05)):
        frequency, phase = frequency * rng.uniform(0.8, 1.25), rng.uniform(0, 6.3)
        crest += amplitude * np.sin(frequency * x + phase).astype(np.float32)
        slope += amplitude * frequency * np.cos(frequency * x + phase).astype(np.float32)
    return crest * np.float32(ridge.height), slope


def _hill(x: Floats, below: Floats, slope: Floats, ridge: Ridge, layout: Layout, light: Lighting) -> Floats:
    """Woods and clearings; woods are rougher and darker."""
    clumps = smooth(x * 22, below * 40, ridge.seed)
    woods = ramp(-0.5, 0.4, smooth(x * 4.5, below * 14, ridge.seed + 3) + 0.3 * clumps + 0.25)
    meadow = mix(colour(*light.grass[0]), colour(*light.grass[1]), 0.3) * colour(0.85, 0.92, 0.95)
    forest = mix(colour(*light.leaves[0]), colour(*light.leaves[1]), ramp(-1.5, 2.0, clumps) * 0.8)
    surface = mix(meadow, forest * colour(0.85, 0.95, 1.15), woods)
    surface = light.snowed(surface, 0.95 - woods * (0.75 - 0.2 * clumps))
    shade = np.clip(0.55 - 0.3 * slope * np.float32(layout.light) + 0.12 * clumps - 1.2 * below, 0.05, 1)
    return light.lit(surface, shade, ridge.distance)


def _swell(x: Floats, below: Floats, slope: Floats, ridge: Ridge, layout: Layout, light: Lighting) -> Floats:
    """The far edge of the meadow or of the dunes."""
    patches = fractal(x * 3, below * 20, ridge.seed)
    if layout.base == "sand":
        surface = mix(colour(0.72, 0.57, 0.37), colour(0.92, 0.78, 0.54), ramp(-1.5, 1.5, patches))
    else:
        surface = mix(colour(*light.grass[0]), colour(*light.grass[1]), ramp(-1.8, 1.8, patches))
    surface = light.snowed(surface, np.full_like(patches, 0.9) + 0.1 * patches)
    return light.lit(surface, np.clip(0.65 - 0.4 * slope * np.float32(layout.light), 0.2, 1), ridge.distance)
