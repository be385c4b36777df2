"""Small files on disk, made for one test."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an array as an image file; without one, noise of the given (height, width)."""

    def write(name: str, image: NDArray[Any] | None = None, size: tuple[int, int] = (12, 16)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if image is None:
            image = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(image).save(path)
        return path

    return write


@pytest.fixture
def ids() -> Callable[..., NDArray[np.uint8]]:
    """An 8-bit map of random ids below a number."""

    def ids(below: int, size: tuple[int, int] = (12, 16), seed: int = 0) -> NDArray[np.uint8]:
        return np.random.default_rng(seed).integers(0, below, size).astype(np.uint8)

    return ids
