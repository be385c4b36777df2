"""What clients send, and what they make of the answers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from i2i.pictures import Pixels

PNG, RAW = {"content-type": "image/png"}, {"content-type": "application/octet-stream"}
GOOD = np.zeros((40, 56), np.uint8)


def file(array: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    Image.fromarray(array).save(written, format=kind, **options)
    return written.getvalue()


def shown(content: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(content)))


def assert_same(found: Pixels, expected: Pixels) -> None:
    """Up to the last step of rounding, which the order of a sum can decide."""
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
