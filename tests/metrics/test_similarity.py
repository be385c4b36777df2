from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from i2i.errors import InputError
from i2i.metrics.similarity import AbsoluteError, Similarity, peak_signal_to_noise, structural_similarity


def photos(seed: int, count: int = 3) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 32, 40, generator=random) * 2 - 1


def wang(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of one channel in [0, 1] (Wang et al. 2004, equation 13), away from the border."""

    def blur(z: np.ndarray) -> np.ndarray:
        return gaussian_filter(z, 1.5, truncate=5 / 1.5 - 1e-9)[5:-5, 5:-5]

    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float((((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def test_psnr_of_8_bit_pixels_is_the_textbooks() -> None:
    a, b = torch.randint(0, 256, (2, 3, 8, 8)), torch.randint(0, 256, (2, 3, 8, 8))
    error = (a - b).double().square().mean(dim=(1, 2, 3))
    expected = 10 * torch.log10(255**2 / error)
    found = peak_signal_to_noise(a / 127.5 - 1, b / 127.5 - 1)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    assert math.isinf(float(peak_signal_to_noise(photos(0), photos(0))[0]))


def test_ssim_is_wangs_formula() -> None:
    x, y = photos(0, 1), photos(0, 1) * 0.6 + photos(1, 1) * 0.4
    expected = np.mean([wang(*((z[0, c].double().numpy() + 1) / 2 for z in (x, y))) for c in range(3)])
    assert float(structural_similarity(x, y)[0]) == pytest.approx(expected, abs=1e-5)


def test_each_photo_counts_once_and_alike() -> None:
    metric = Similarity()
    x, y = photos(0), photos(1)
    metric.update(x, y, ["a", "b", "c"])
    metric.update(x[:1], y[:1], ["a"])
    psnr, ssim = metric.results()
    assert psnr.value == pytest.approx(float(peak_signal_to_noise(x, y).mean()), rel=1e-6)
    assert ssim.value == pytest.approx(float(structural_similarity(x, y).mean()), rel=1e-6)
    assert psnr.protocol["photos"] == 3


def test_an_equal_photo_does_not_make_the_mean_infinite() -> None:
    metric = Similarity()
    metric.update(photos(0), photos(0), ["a", "b", "c"])
    assert [result.value for result in metric.results()] == pytest.approx([100, 1])


def test_small_photos_and_no_photos_are_refused() -> None:
    with pytest.raises(InputError, match="at least 11 pixels a side; these are 10x12"):
        structural_similarity(torch.zeros(1, 3, 12, 10), torch.zeros(1, 3, 12, 10))
    with pytest.raises(InputError, match="no photos were measured"):
        Similarity().compute()


def test_the_absolute_error_is_that_of_images_from_0_to_1_and_may_be_none() -> None:
    metric, x, y = AbsoluteError(), photos(0), photos(1)
    metric.update(x, y, ["a", "b", "c"])
    metric.update(x[:1], y[:1], ["a"])
    expected = np.abs((x.numpy() + 1) / 2 - (y.numpy() + 1) / 2).mean()
    assert float(metric.compute()) == pytest.approx(float(expected), rel=1e-6)
    metric.update(x[:1] * float("nan"), y[:1], ["d"])
    assert math.isnan(float(metric.compute()))
