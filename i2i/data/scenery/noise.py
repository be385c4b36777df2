"""Smooth random textures: periodic tiles made once per process and looked up at any coordinates."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]  # float32 wherever there are many

_PERIOD = 256  # texels after which a tile repeats
_PADDED = 1024  # the tile is stored repeated, because look-ups across its border are several times slower


def smooth(x: Any, y: Any, seed: int = 0) -> Floats:
    """Noise of one size of blob: about one blob per unit of ``x`` and ``y``; mean 0, standard deviation 1.

    Args:
        x: coordinates that broadcast against ``y`` to a 2-D array.
        y: as ``x``.
        seed: noises of different seeds are read far from each other.
    """
    return _look_up(_tile(9.0, 16.0, 0.0), x, y, seed, 16.0)


def fractal(x: Any, y: Any, seed: int = 0) -> Floats:
    """Noise with detail at all sizes from 2 units down to an eighth of one; mean 0, standard deviation 1."""
    return _look_up(_tile(6.0, 96.0, 1.5), x, y, seed, 20.0)


def relief(x: Any, y: Any, seed: int = 0) -> Floats:
    """The slope of :func:`fractal` along x: how light from the side falls on rough ground; standard deviation 1."""
    return _look_up(_tile(6.0, 72.0, 1.2, slope=True), x, y, seed, 20.0)


@cache
def _tile(low: float, high: float, falloff: float, slope: bool = False) -> Floats:
    """Filtered white noise: amplitude 1/f**falloff between ``low`` and ``high`` cycles per tile."""
    white = np.random.default_rng(20190318).standard_normal((_PERIOD, _PERIOD))
    fy, fx = np.meshgrid(np.fft.fftfreq(_PERIOD, 1 / _PERIOD), np.fft.fftfreq(_PERIOD, 1 / _PERIOD), indexing="ij")
    frequency = np.hypot(fx, fy)
    amplitude = np.where((frequency >= low) & (frequency <= high), np.maximum(frequency, 1) ** -falloff, 0.0)
    spectrum = np.fft.fft2(white) * amplitude
    tile = np.fft.ifft2(spectrum * (1j * fx) if slope else spectrum).real
    tile = np.tile(tile / tile.std(), (_PADDED // _PERIOD, _PADDED // _PERIOD))
    return np.ascontiguousarray(tile, dtype=np.float32)


def _look_up(tile: Floats, x: Any, y: Any, seed: int, texels: float) -> Floats:
    """Bilinear, periodic; ``texels`` per unit of the coordinates."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
    shift_x, shift_y = (seed * 97 + 31) % _PERIOD + _PERIOD, (seed * 61 + 57) % _PERIOD + _PERIOD
    found = cv2.remap(
        tile,
        x * np.float32(texels) + np.float32(shift_x),
        y * np.float32(texels) + np.float32(shift_y),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(found, dtype=np.float32)
