"""What is drawn for a sample is its own affair: whatever the batch, the process and what was drawn before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i import draws
from i2i.errors import InputError
from i2i.losses.augmentation import DiffAugment
from i2i.losses.crops import RandomCrops
from i2i.losses.segmentation import labelmix_mask
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.oasis import Noise, OASISGenerator
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import SemanticMap

LABELS = torch.randint(0, 4, (4, 8, 8), generator=torch.Generator().manual_seed(0)).repeat_interleave(8, 1)
LABELS = LABELS.repeat_interleave(8, 2)  # (4, 64, 64)
INSTANCES = LABELS * 10 + (torch.arange(64) // 40)
PHOTOS = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
SEEDS = [11, 22, 33, 44]


def maps(chosen: list[int]) -> SemanticMap:
    return SemanticMap.from_labels(LABELS[chosen], 4, INSTANCES[chosen])


def oasis(kind: Noise) -> Callable[[SemanticMap, Tensor], Tensor | None]:
    network = OASISGenerator(5, noise_channels=3, width=1, hidden=2, noise=kind)

    def dense(condition: SemanticMap, _: Tensor) -> Tensor:
        return network._noisy(condition, network.draw(condition)).noise_map()

    return dense


def clustered() -> InstanceEncoder:
    encoder = InstanceEncoder(2, width=1, downsamplings=1)
    encoder.set_clusters(torch.arange(24.0).view(12, 2), torch.arange(12) % 4, torch.arange(1, 13))
    return encoder


def seen() -> RegionEncoder:
    encoder = RegionEncoder(4, 3, width=1)
    encoder.seen.remember(torch.arange(240.0).view(20, 4, 3), torch.ones(20, 4, dtype=torch.bool))
    return encoder


DRAWING: dict[str, Callable[[SemanticMap, Tensor], Tensor | None]] = {
    "style": lambda maps, _: SPADEGenerator(5, style_dim=7, width=1, hidden=2).draw(maps),
    "noise for each image": oasis("image"),
    "noise for each class": oasis("class"),
    "noise for each instance": oasis("instance"),
    "noise for each pixel": oasis("pixel"),
    "instance features": lambda maps, _: GlobalGenerator(5, feature_channels=2, width=1).draw(maps),
    "features of clusters": lambda maps, _: clustered().draw(maps),
    "styles of earlier photos": lambda maps, _: seen().draw(maps),
    "dropout": lambda maps, _: UNetGenerator(5, width=2, depth=5).draw(maps),
    "DiffAugment": lambda maps, photos: DiffAugment(probability=0.7)(maps, photos, photos)[2],
    "crops": lambda maps, photos: RandomCrops((16, 16), 3)(maps, photos, photos)[1].unflatten(0, (-1, 3)),
    "LabelMix": lambda maps, _: labelmix_mask(maps),
}


@pytest.mark.parametrize("name", DRAWING)
def test_a_sample_has_its_own_numbers_in_whatever_batch(name: str) -> None:
    """As where two processes share a batch, or a resumed run starts in the middle of an epoch."""
    torch.manual_seed(0)
    found = {}
    for chosen in ([0, 1, 2, 3], [2, 0], [3, 1]):
        with draws.of_samples([SEEDS[i] for i in chosen]):
            drawn = DRAWING[name](maps(chosen), PHOTOS[chosen])
        assert drawn is not None and len(drawn) == len(chosen)
        torch.rand(3)  # the global generator goes its own way
        for i, own in zip(chosen, drawn, strict=True):
            assert torch.equal(found.setdefault(i, own), own)
    if name != "crops":  # these could be the same by chance, as could a shift
        assert not torch.equal(found[0].float(), found[1].float())


def test_the_next_numbers_of_a_sample_are_others() -> None:
    with draws.of_samples([5, 6]):
        first, second = draws.normal((2, 4)), draws.normal((2, 4))
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_rows_of_a_sample_lie_side_by_side(samples: int, rows: int, seed: int) -> None:
    with draws.of_samples([seed + i for i in range(samples)]):
        drawn = draws.uniform((samples * rows, 2))
    alone = [torch.rand(rows, 2, generator=torch.Generator().manual_seed(seed + i)) for i in range(samples)]
    assert torch.equal(drawn, torch.cat(alone))


def test_distributions() -> None:
    with draws.of_samples(range(4000)):
        normal, uniform, dice = draws.normal((4000, 3)), draws.uniform((4000, 3)), draws.integers(1, 7, (4000, 3))
    assert normal.mean().item() == pytest.approx(0, abs=0.04) and normal.std().item() == pytest.approx(1, abs=0.04)
    assert uniform.min() >= 0 and uniform.max() < 1 and uniform.std().item() == pytest.approx(12**-0.5, abs=0.01)
    assert torch.bincount(dice.flatten()).tolist()[0] == 0 and dice.min() == 1 and dice.max() == 6
    assert torch.bincount(dice.flatten())[1:].min() > 1800


def test_without_seeds_it_is_torchs_generator() -> None:
    torch.manual_seed(3)
    ours = draws.normal((2, 3)), draws.uniform((2,)), draws.integers(0, 9, (4,)), draws.uniform_rows([1, 2], 2)
    torch.manual_seed(3)
    theirs = torch.randn(2, 3), torch.rand(2), torch.randint(0, 9, (4,)), torch.rand(3, 2)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    with draws.of_samples([1]), draws.of_samples(None):
        torch.manual_seed(3)
        assert torch.equal(draws.normal((2, 3)), theirs[0])


def test_rows_that_cannot_be_shared_out() -> None:
    with draws.of_samples([1, 2]), pytest.raises(InputError, match="3 rows are drawn for 2 samples"):
        draws.uniform((3,))
