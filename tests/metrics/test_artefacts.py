from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.metrics.artefacts import Artefacts, count_blobs, repetition, saturated_share
from i2i.pictures import from_pixels


@pytest.fixture(scope="module")
def photos(shared: Path) -> torch.Tensor:
    paths = sorted((shared / "data/camvid/test").iterdir())[::30]
    return from_pixels(np.stack([np.asarray(Image.open(path).convert("RGB").resize((240, 180))) for path in paths]))


def with_spots(photos: torch.Tensor, places: list[tuple[float, float]]) -> torch.Tensor:
    height, width = photos.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for down, right in places:
        spot = (y - down * height) ** 2 + (x - right * width) ** 2 < (min(height, width) / 24) ** 2
        photos = torch.where(spot, torch.tensor(1.0), photos)
    return photos


def test_the_share_of_saturated_values_is_counted() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3)).astype(np.uint8)
    expected = [sum(int(v) in (0, 1, 254, 255) for v in one.flatten()) / one.size for one in pixels]
    assert saturated_share(from_pixels(pixels)).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("places", [[], [(0.3, 0.3)], [(0.3, 0.3), (0.7, 0.6), (0.2, 0.8)]])
def test_every_blob_is_found_and_nothing_else(photos: torch.Tensor, places: list[tuple[float, float]]) -> None:
    dim = photos * 0.4 - 0.3  # so that nothing in the street is a blob by itself
    assert count_blobs(with_spots(dim, places)).tolist() == [len(places)] * len(photos)


def test_edges_and_lines_are_no_blobs() -> None:
    picture = torch.full((1, 3, 96, 128), -0.5)
    picture[..., 60:] = 0.9
    picture[:, :, 20:25, :60] = 0.9  # a line
    assert count_blobs(picture).tolist() == [0]
    assert repetition(picture).item() < 0.1
    picture[:, 1, 60:66, 20:26] = 1.0
    assert count_blobs(picture).tolist() == [1]


@pytest.mark.parametrize("period", [7, 8, 13, 20])
def test_a_tiling_repeats_and_neither_noise_nor_photos_do(photos: torch.Tensor, period: int) -> None:
    random = torch.Generator().manual_seed(period)
    tile = torch.rand(1, 3, period, period, generator=random) - 0.5
    tiling = tile.repeat(1, 1, 30, 40)[:, :, :180, :240]
    assert repetition(tiling).item() > 0.9
    assert repetition(torch.rand(1, 3, 180, 240, generator=random) - 0.5).item() < 0.2
    real, patterned = repetition(photos).mean(), repetition((0.7 * photos + 0.6 * tiling).clamp(-1, 1)).mean()
    assert real < 0.35 and patterned > real + 0.2


@pytest.mark.parametrize("size", [(20, 33), (64, 64), (100, 70)])
def test_any_size_and_a_flat_picture(size: tuple[int, int]) -> None:
    for value in (0.0, 1.0):
        flat = torch.full((2, 3, *size), value)
        assert count_blobs(flat).tolist() == [0, 0] and repetition(flat).tolist() == [0, 0]
    noise = torch.rand(1, 3, *size) * 2 - 1
    assert torch.isfinite(repetition(noise)).all() and torch.isfinite(count_blobs(noise)).all()


def test_the_metric_is_the_mean_of_the_photos(photos: torch.Tensor) -> None:
    metric = Artefacts()
    names = [str(i) for i in range(len(photos))]
    metric.update(photos[:2], names[:2])
    metric.update(photos[2:], names[2:])
    values = {r.name: r.value for r in metric.results()}
    assert values["saturated values"] == pytest.approx(100 * float(saturated_share(photos).mean()), rel=1e-5)
    assert values["blobs"] == pytest.approx(float(count_blobs(photos).mean()))
    assert values["repeated texture"] == pytest.approx(float(repetition(photos).mean()), rel=1e-4)
