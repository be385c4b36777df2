"""The figures that test_collected.py wants of seven photos, from one process or from shares of two."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from i2i.metrics.data_digest import DataDigest
from i2i.metrics.distribution import Distribution
from i2i.metrics.extractors import Extractor
from i2i.metrics.segmentation import Segmentation
from i2i.metrics.similarity import Similarity
from i2i.metrics.style import StyleFidelity

PHOTOS = 7


def figures(mine: range, twice: bool) -> list[dict[str, Any]]:
    random = torch.Generator().manual_seed(0)
    photo, real = (torch.rand(PHOTOS, 3, 16, 16, generator=random) * 2 - 1 for _ in range(2))
    maps, read = (torch.randint(0, 3, (PHOTOS, 16, 16), generator=random) for _ in range(2))
    given, found = (torch.randn(PHOTOS, 4, generator=random) for _ in range(2))
    names = [f"photo {i}" for i in range(PHOTOS)]
    extractor = Extractor(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), size=(16, 16))
    reference = torch.randn(9, 12, generator=random)
    distribution = Distribution(extractor, reference, {}, subsets=5, subset_size=4, neighbours=2)
    similarity, segmentation, style = Similarity(), Segmentation(["a", "b", "c"], ["c"], {}), StyleFidelity(4, {})
    data = DataDigest()
    for i in reversed(mine):
        one = slice(i, i + 1)
        segmentation.update(maps[one], read[one])
        data.update({"name": names[one], "photo": real[one], "labels": maps[one]})
        style.update(given[one], found[one], names[one])
        similarity.update(photo[one], real[one], names[one])
        distribution.update(photo[one], names[one])
    if twice:  # a sampler that fills up the shares gives a photo to two processes
        similarity.update(photo[:1], real[:1], names[:1])
        distribution.update(photo[:1], names[:1])
        data.update({"name": names[:1], "photo": real[:1], "labels": maps[:1]})
    metrics = (distribution, similarity, segmentation, style)
    return [{"data": data.compute()}, *(result.to_json() for metric in metrics for result in metric.results())]


def of_two(rank: int) -> list[list[dict[str, Any]]]:
    """What this process gets of uneven shares, and of shares of which one is empty."""
    return [
        figures(range(first) if rank == 0 else range(first, PHOTOS), twice=rank == 1 and first < PHOTOS)
        for first in (5, PHOTOS)
    ]
