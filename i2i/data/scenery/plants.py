"""Trees and bushes."""

from __future__ import annotations

import numpy as np

from i2i.data.scenery.canvas import Canvas, Mask, Window, colour, mix, ramp
from i2i.data.scenery.ground import distance
from i2i.data.scenery.layout import Layout, Thing
from i2i.data.scenery.lighting import Lighting
from i2i.data.scenery.noise import Floats, smooth

_BARK = colour(0.36, 0.26, 0.18)


def paint_broadleaf(canvas: Canvas, thing: Thing, foot: float, code: int, layout: Layout, light: Lighting) -> None:
    """A trunk and a crown of round masses of leaves."""
    size = thing.size * thing.nearness
    window = canvas.window(thing.x - 0.5 * size, thing.x + 0.5 * size, foot - 1.08 * size, foot)
    if window is None:
        return
    rng = np.random.default_rng(thing.seed)
    x, y = (window.x - np.float32(thing.x)) / np.float32(size), (window.y - np.float32(foot)) / np.float32(size)
    trunk = (np.abs(x) < 0.035 + 0.03 * ramp(-0.12, 0.0, y)) & (y > -0.5)
    bark = _BARK * (0.85 + 0.2 * smooth(x * 22, y * 5, thing.seed % 256))
    bark = light.lit(bark, ramp(-0.05, 0.05, x * layout.light) * 0.8, distance(thing.nearness))
    canvas.paint(window, trunk, bark, code)

    leaves = smooth(x * 12, y * 12, thing.seed % 256) + 0.5 * smooth(x * 22, y * 22, thing.seed % 251)
    masses = [(0.0, -0.66, 0.27)]
    for angle in np.linspace(0, 2 * np.pi, 6, endpoint=False) + rng.uniform(0, 1):
        reach = rng.uniform(0.15, 0.2)
        masses.append((1.15 * reach * np.cos(angle), -0.64 + reach * np.sin(angle), rng.uniform(0.13, 0.19)))
    field, facing = _heap(x, y, masses, layout)
    facing = 0.5 * facing + 1.2 * (x * np.float32(layout.light) * 0.6 - (y + 0.62)) + 0.16 * leaves
    _paint_leaves(canvas, window, field + 0.17 * leaves > 0, facing, thing, code, light)


def paint_bush(canvas: Canvas, thing: Thing, foot: float, code: int, layout: Layout, light: Lighting) -> None:
    """A low dome of leaves."""
    size = thing.size * thing.nearness
    window = canvas.window(thing.x - 1.2 * size, thing.x + 1.2 * size, foot - 1.25 * size, foot)
    if window is None:
        return
    rng = np.random.default_rng(thing.seed)
    x, y = (window.x - np.float32(thing.x)) / np.float32(size), (window.y - np.float32(foot)) / np.float32(size)
    leaves = smooth(x * 4, y * 4, thing.seed % 256) + 0.4 * smooth(x * 8, y * 8, thing.seed % 251)
    radii = rng.uniform(0.75, 1.05, 3) * np.array([0.43, 0.43, 0.58])
    masses = [(middle, -0.72 * r, r) for middle, r in zip((-0.42, 0.4, 0.0), radii.tolist(), strict=True)]
    field, facing = _heap(x, y, masses, layout)
    _paint_leaves(canvas, window, field + 0.12 * leaves > 0, facing + 0.2 * leaves, thing, code, light)


def _heap(x: Floats, y: Floats, masses: list[tuple[float, float, float]], layout: Layout) -> tuple[Floats, Floats]:
    """A heap of balls (x, y, radius): above 0 inside, and how much the foremost one faces the light."""
    field: Floats = np.full(np.broadcast_shapes(x.shape, y.shape), -9, np.float32)
    facing: Floats = np.zeros(field.shape, np.float32)
    for middle, height, radius in masses:
        dx, dy = (x - np.float32(middle)) / np.float32(radius), (y - np.float32(height)) / np.float32(radius)
        mass = 1 - dx * dx - dy * dy
        facing = np.where(mass > field, 0.5 * dx * np.float32(layout.light) - 0.65 * dy, facing)
        field = np.maximum(field, mass)
    return field, facing


def _paint_leaves(
    canvas: Canvas, window: Window, mask: Mask, facing: Floats, thing: Thing, code: int, light: Lighting
) -> None:
    """Leaves in two tones: ``facing`` is -1 in the shade, 1 towards the light."""
    rng = np.random.default_rng(thing.seed)
    hue = colour(*(1 + rng.uniform(-0.1, 0.1, 3)))
    low, high = (colour(*c) for c in light.leaves)
    if thing.kind == "bush":  # bluer and greyer than trees
        low, high = mix(low, colour(0.10, 0.22, 0.16), 0.45), mix(high, colour(0.34, 0.50, 0.36), 0.45)
    tone = ramp(-0.9, 0.9, facing)
    surface = light.snowed(mix(low, high, tone) * hue, 0.8 * ramp(0.0, 0.9, facing))
    canvas.paint(window, mask, light.lit(surface, 0.25 + 0.6 * tone, distance(thing.nearness)), code)


def paint_conifer(canvas: Canvas, thing: Thing, foot: float, code: int, layout: Layout, light: Lighting) -> None:
    """A spruce: tiers of drooping branches."""
    size = thing.size * thing.nearness
    window = canvas.window(thing.x - 0.38 * size, thing.x + 0.38 * size, foot - 1.05 * size, foot)
    if window is None:
        return
    rng = np.random.default_rng(thing.seed)
    tiers, slim = rng.uniform(4.5, 6.5), rng.uniform(0.2, 0.26)
    x, y = (window.x - np.float32(thing.x)) / np.float32(size), (window.y - np.float32(foot)) / np.float32(size)
    trunk = (np.abs(x) < 0.03) & (y > -0.2)
    canvas.paint(window, trunk, light.lit(_BARK * 0.9, 0.4, distance(thing.nearness)) + np.zeros_like(x + y), code)
    needles = smooth(x * 13, y * 13, thing.seed % 256)
    down = 1 + y + 0.007 * needles + 0.35 * np.abs(x)  # 0 at the tip; branches droop outwards
    tier = np.mod(down * np.float32(tiers), 1)
    half = np.float32(slim) * down * (0.62 + 0.38 * tier)
    mask = (np.abs(x) < half * (1 + 0.08 * needles)) & (y < -0.08)
    facing = x / np.maximum(half, 0.01) * np.float32(layout.light)
    tone = np.clip(0.42 + 0.3 * facing + 0.34 * (0.5 - tier) + 0.1 * needles, 0, 1)
    dark, bright = colour(0.05, 0.19, 0.14), colour(0.22, 0.42, 0.25)
    surface = light.snowed(mix(dark, bright, tone), 1.1 * ramp(0.75, 0.15, tier + 0.25 * needles) - 0.1)
    canvas.paint(window, mask, light.lit(surface, 0.2 + 0.6 * tone, distance(thing.nearness)), code)
