"""The lighting styles: the colour of light, air, leaves and snow. They know nothing of what stands where."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from i2i.data.scenery.canvas import colour, mix
from i2i.data.scenery.noise import Floats

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Lighting:
    """One style. Colours are (red, green, blue), 0 to 1; those of surfaces are what white light would show.

    Attributes:
        zenith: the sky overhead.
        low_sky: the sky at the horizon, also mirrored by water.
        disc: the sun, or the moon.
        glow: added to the sky around the disc.
        ambient: light from everywhere.
        direct: light from the sun's side.
        haze: the colour that distant things fade to.
        thickness: how fast they fade.
        cloud: the sunlit side of clouds.
        cloud_shade: their underside.
        leaves: broad-leaved trees, from shade to sun.
        grass: meadows, from shade to sun.
        snow: how much lies, 0 to 1.
        lamps: how bright windows shine, 0 to 1.
        stars: how many are out, 0 to 1.
    """

    zenith: Colour
    low_sky: Colour
    disc: Colour
    glow: Colour
    ambient: Colour
    direct: Colour
    haze: Colour
    thickness: float
    cloud: Colour
    cloud_shade: Colour
    leaves: tuple[Colour, Colour] = ((0.10, 0.26, 0.07), (0.36, 0.55, 0.16))
    grass: tuple[Colour, Colour] = ((0.24, 0.42, 0.11), (0.48, 0.64, 0.20))
    snow: float = 0.0
    lamps: float = 0.0
    stars: float = 0.0

    def varied(self, rng: np.random.Generator) -> Lighting:
        """The same style on another day: a little brighter or darker, warmer or cooler, clearer or hazier."""
        light = rng.uniform(0.94, 1.06) * (1 + rng.uniform(-0.03, 0.03) * np.array([1.0, 0.0, -1.0]))
        sky = rng.uniform(0.95, 1.05) * (1 + rng.uniform(-0.03, 0.03) * np.array([1.0, 0.2, -1.0]))

        def times(value: Colour, gain: np.ndarray) -> Colour:
            red, green, blue = (float(v) for v in np.asarray(value) * gain)
            return red, green, blue

        return replace(
            self,
            zenith=times(self.zenith, sky),
            low_sky=times(self.low_sky, sky),
            ambient=times(self.ambient, light),
            direct=times(self.direct, light * rng.uniform(0.9, 1.1)),
            haze=times(self.haze, sky),
            thickness=self.thickness * rng.uniform(0.85, 1.2),
            cloud=times(self.cloud, sky),
            cloud_shade=times(self.cloud_shade, sky),
        )

    def lit(self, surface: Floats, shade: Floats | float, distance: Floats | float) -> Floats:
        """What a surface looks like from here.

        Args:
            surface: its colour under white light, broadcasting over (3, h, w).
            shade: how much of the direct light falls on it: 0 in shadow, 1 facing the sun.
            distance: 0 at our feet; 1 is where haze takes 1 - exp(-thickness).
        """
        seen = surface * (colour(*self.ambient) + colour(*self.direct) * shade)
        return mix(seen, colour(*self.haze), 1 - np.exp(-self.thickness * np.asarray(distance, np.float32)))

    def snowed(self, surface: Floats, lying: Floats) -> Floats:
        """The surface under the snow of this style; ``lying`` (h, w) says where it would lie first (above 0)."""
        if self.snow == 0:
            return surface
        return mix(surface, _SNOW, np.clip(lying, 0, 1) * np.float32(self.snow))


_SNOW = colour(0.93, 0.95, 0.99)

STYLES: dict[str, Lighting] = {
    "day": Lighting(
        zenith=(0.17, 0.42, 0.82),
        low_sky=(0.66, 0.83, 0.96),
        disc=(1.0, 0.96, 0.72),
        glow=(0.34, 0.30, 0.16),
        ambient=(0.50, 0.55, 0.62),
        direct=(0.72, 0.66, 0.50),
        haze=(0.66, 0.79, 0.93),
        thickness=0.55,
        cloud=(1.0, 1.0, 1.0),
        cloud_shade=(0.72, 0.78, 0.87),
    ),
    "dusk": Lighting(
        zenith=(0.26, 0.20, 0.46),
        low_sky=(1.0, 0.58, 0.30),
        disc=(1.0, 0.80, 0.38),
        glow=(0.42, 0.24, 0.06),
        ambient=(0.42, 0.31, 0.42),
        direct=(0.80, 0.42, 0.19),
        haze=(0.86, 0.50, 0.40),
        thickness=0.75,
        cloud=(1.0, 0.60, 0.44),
        cloud_shade=(0.50, 0.30, 0.46),
        lamps=0.8,
    ),
    "night": Lighting(
        zenith=(0.02, 0.04, 0.14),
        low_sky=(0.12, 0.18, 0.38),
        disc=(0.95, 0.95, 0.86),
        glow=(0.13, 0.15, 0.20),
        ambient=(0.15, 0.19, 0.34),
        direct=(0.17, 0.20, 0.30),
        haze=(0.10, 0.14, 0.29),
        thickness=0.6,
        cloud=(0.26, 0.30, 0.43),
        cloud_shade=(0.11, 0.14, 0.25),
        lamps=1.0,
        stars=1.0,
    ),
    "autumn": Lighting(
        zenith=(0.43, 0.58, 0.74),
        low_sky=(0.97, 0.90, 0.72),
        disc=(1.0, 0.93, 0.66),
        glow=(0.24, 0.19, 0.07),
        ambient=(0.55, 0.50, 0.43),
        direct=(0.70, 0.55, 0.33),
        haze=(0.92, 0.83, 0.64),
        thickness=0.7,
        cloud=(1.0, 0.96, 0.86),
        cloud_shade=(0.80, 0.74, 0.68),
        leaves=((0.44, 0.13, 0.05), (0.88, 0.47, 0.10)),
        grass=((0.42, 0.36, 0.13), (0.70, 0.60, 0.25)),
    ),
    "snow": Lighting(
        zenith=(0.50, 0.62, 0.80),
        low_sky=(0.84, 0.89, 0.96),
        disc=(1.0, 0.98, 0.90),
        glow=(0.12, 0.11, 0.08),
        ambient=(0.64, 0.69, 0.79),
        direct=(0.38, 0.36, 0.31),
        haze=(0.83, 0.88, 0.95),
        thickness=0.6,
        cloud=(0.95, 0.96, 0.98),
        cloud_shade=(0.70, 0.75, 0.84),
        leaves=((0.14, 0.19, 0.15), (0.30, 0.36, 0.30)),
        grass=((0.50, 0.52, 0.46), (0.64, 0.65, 0.58)),
        snow=1.0,
    ),
    "mist": Lighting(
        zenith=(0.49, 0.53, 0.53),
        low_sky=(0.70, 0.73, 0.71),
        disc=(0.90, 0.91, 0.86),
        glow=(0.10, 0.10, 0.08),
        ambient=(0.56, 0.60, 0.59),
        direct=(0.18, 0.18, 0.16),
        haze=(0.68, 0.71, 0.69),
        thickness=1.6,
        cloud=(0.72, 0.75, 0.74),
        cloud_shade=(0.54, 0.57, 0.57),
        leaves=((0.13, 0.22, 0.12), (0.32, 0.42, 0.22)),
        grass=((0.28, 0.36, 0.18), (0.45, 0.52, 0.28)),
        lamps=0.4,
    ),
}
