"""What the protocols of FID's kin say; their figures are in test_frechet.py, test_kernel.py and test_manifold.py."""

from __future__ import annotations

import torch
from torch import nn

from i2i.metrics.distribution import Distribution
from i2i.metrics.extractors import Extractor
from i2i.metrics.result import Result


def kid(fakes: int, reals: int, **arguments: int) -> Result:
    extractor = Extractor(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), size=(16, 16))
    metric = Distribution(extractor, torch.randn(reals, 12), {"seed": 7}, neighbours=2, **arguments)
    metric.update(torch.rand(fakes, 3, 16, 16) * 2 - 1, [f"photo {i}" for i in range(fakes)])
    return next(result for result in metric.results() if result.name == "KID")


def test_whole_sets_are_told_as_one_subset() -> None:
    whole = kid(9, 9)
    assert whole.protocol["subsets"] == 1 and whole.protocol["subset size"] == 9
    assert whole.deviation is None and "±" not in whole.figure
    assert "seed of the subsets" not in whole.protocol  # nothing was drawn


def test_subsets_are_told_with_their_own_seed() -> None:
    drawn = kid(9, 12, subsets=4, seed=3)
    assert drawn.protocol["subsets"] == 4 and drawn.deviation is not None and "±" in drawn.figure
    assert drawn.protocol["seed of the subsets"] == 3
    assert drawn.protocol["seed"] == 7  # that of the pictures stays
