"""The sky, the sun or moon in it, and the clouds."""

from __future__ import annotations

import numpy as np

from i2i.data.scenery.canvas import THING, Canvas, Class, colour, mix, ramp
from i2i.data.scenery.layout import Cloud, Layout
from i2i.data.scenery.lighting import Lighting
from i2i.data.scenery.noise import fractal, smooth


def paint_sky(canvas: Canvas, layout: Layout, light: Lighting) -> None:
    """Fill the canvas down to a little below the horizon: gradient, veils, stars, and the glow of the sun."""
    window = canvas.window(-9, 9, 0, layout.horizon + 0.01)
    if window is None:
        return
    x, y = window.x, window.y
    height = np.clip(1 - y / layout.horizon, 0, 1)
    veil = fractal(x * 1.3, y * 5, layout.seed)
    sky = mix(colour(*light.low_sky), colour(*light.zenith), np.clip(height**0.8 - 0.05 * veil, 0, 1))
    if light.stars:
        sky += light.stars * 0.9 * ramp(2.2, 3.2, smooth(x * 24, y * 24, layout.seed)) * ramp(0.1, 0.6, height)
    sun_x, sun_y, radius = layout.sun
    halo = sum(
        strength * np.exp(-(((x - sun_x) / reach) ** 2)) * np.exp(-(((y - sun_y) / reach) ** 2))
        for strength, reach in ((0.6, 0.45), (0.7, 2.6 * radius))
    )
    sky += colour(*light.glow) * np.asarray(halo, np.float32)
    everywhere = np.ones(sky.shape[1:], np.bool_)
    canvas.paint(window, everywhere, np.minimum(sky, 1), int(Class.SKY))


def paint_sun(canvas: Canvas, layout: Layout, light: Lighting) -> None:
    """The disc; the moon has its seas."""
    sun_x, sun_y, radius = layout.sun
    window = canvas.window(sun_x - radius, sun_x + radius, sun_y - radius, sun_y + radius)
    if window is None:
        return
    x, y = (window.x - sun_x) / radius, (window.y - sun_y) / radius
    inside = x * x + y * y < 1
    spots = 0.16 * ramp(0.2, 1.2, smooth(x * 1.3, y * 1.3, layout.seed)) if light.stars else np.float32(0.0)
    disc = colour(*light.disc) * (1.02 - 0.08 * (x * x + y * y) - spots)
    canvas.paint(window, inside, disc.astype(np.float32), int(Class.SUN) * THING)


def paint_cloud(canvas: Canvas, cloud: Cloud, count: int, layout: Layout, light: Lighting) -> None:
    """A heap of puffs on a flat base, bright above and towards the sun."""
    rng = np.random.default_rng(cloud.seed)
    size = cloud.width
    window = canvas.window(cloud.x - 0.6 * size, cloud.x + 0.6 * size, cloud.y - 0.45 * size, cloud.y + 0.04 * size)
    if window is None:
        return
    x, y = (window.x - cloud.x) / size, (window.y - cloud.y) / size
    wisps = smooth(x * 9, y * 9, cloud.seed) * 0.5 + smooth(x * 4, y * 4, cloud.seed + 5)
    field = np.full(wisps.shape, -9, np.float32)
    roundness, weights = np.zeros(wisps.shape, np.float32), np.full(wisps.shape, 1e-9, np.float32)
    for place in np.linspace(-0.36, 0.36, 7) + rng.uniform(-0.04, 0.04, 7):
        radius = (0.1 + 0.13 * (1 - (place / 0.42) ** 2)) * rng.uniform(0.8, 1.15)
        dx, dy = (x - np.float32(place)) / np.float32(radius), (y + np.float32(0.55 * radius)) / np.float32(radius)
        puff = 1 - dx * dx - dy * dy
        weight = np.exp(np.maximum(5 * puff, -20))  # puffs melt into each other
        roundness += weight * (0.35 * dx * np.float32(layout.light) - 0.65 * dy)
        weights += weight
        field = np.maximum(field, puff)
    field += 0.14 * wisps - 6 * np.maximum(y, 0) / 0.1
    lit = ramp(-0.55, 0.75, roundness / weights - 1.6 * (y + 0.12) + 0.12 * wisps)
    shown = mix(colour(*light.cloud_shade), colour(*light.cloud), lit)
    behind = canvas.photo[:, window.rows, window.columns]
    shown = mix(behind, shown, 0.35 + 0.65 * ramp(0, 0.25, field))  # thin at the rim
    canvas.paint(window, field > 0, shown, int(Class.CLOUD) * THING + count)
