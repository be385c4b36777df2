from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.metrics.resampling import resample

SIZES = [(37, 53), (16, 20), (80, 64), (40, 60)]


def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 40, 60)).float()


@pytest.mark.parametrize("size", SIZES)
def test_bicubic_is_pils(size: tuple[int, int]) -> None:
    photo = pixels()
    channels = [Image.fromarray(c.numpy(), mode="F").resize(size[::-1], Image.Resampling.BICUBIC) for c in photo[0]]
    expected = torch.from_numpy(np.stack([np.asarray(c) for c in channels])).clamp(0, 255)
    torch.testing.assert_close(resample(photo, size, "bicubic")[0], expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_tensorflows_grid_is_torch_fidelitys(size: tuple[int, int]) -> None:
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    photo = pixels()
    expected = interpolate_bilinear_2d_like_tensorflow1x(photo, size=size, align_corners=False)
    torch.testing.assert_close(resample(photo, size, "tensorflow"), expected, atol=1e-3, rtol=0)


def test_the_two_differ_and_neither_touches_what_fits() -> None:
    photo = pixels()
    assert (resample(photo, (16, 20), "bicubic") - resample(photo, (16, 20), "tensorflow")).abs().mean() > 10
    for how in ("bicubic", "tensorflow"):
        assert torch.equal(resample(photo, (40, 60), how), photo)
