"""Instance features: the average inside each instance, and the clusters to draw from."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.instances import InstanceIndex
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap

CLASSES = 5


def maps(batch: int, height: int, width: int, seed: int, lowest: int = 0) -> SemanticMap:
    source = torch.Generator().manual_seed(seed)
    ids = torch.randint(lowest, lowest + 6, (batch, height, width), generator=source, dtype=torch.int32)
    labels = torch.randint(CLASSES, (batch, height, width), generator=source, dtype=torch.uint8)
    return SemanticMap.from_labels(labels, CLASSES, ids)


@settings(max_examples=25)
@given(
    batch=st.integers(1, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
    lowest=st.sampled_from([-3, 0, 26000, 2**31 - 10]),
)
def test_averages_and_classes_are_those_of_a_loop(batch: int, height: int, width: int, seed: int, lowest: int) -> None:
    semantics = maps(batch, height, width, seed, lowest)
    x = torch.rand(batch, 2, height, width, dtype=torch.float64)
    index = InstanceIndex.of(semantics)
    averages, classes = index.average(x), index.classes(semantics.labels, CLASSES)
    spread = index.spread(averages)
    assert semantics.instances is not None
    seen = 0
    for n in range(batch):
        for number in semantics.instances[n].unique():
            inside = semantics.instances[n] == number
            k = int(((index.maps == n) & (index.ids == number)).nonzero())
            mean = x[n][:, inside].mean(1)
            torch.testing.assert_close(averages[k], mean)
            torch.testing.assert_close(spread[n][:, inside], mean[:, None].expand(-1, int(inside.sum())))
            assert int(index.pixels[k]) == int(inside.sum())
            counts = torch.bincount(semantics.labels[n][inside].long(), minlength=CLASSES)
            assert counts[classes[k]] == counts.max()
            seen += 1
    assert seen == index.count


def test_the_gradient_of_an_average_goes_to_its_pixels_evenly() -> None:
    semantics = maps(2, 6, 7, 0)
    x = torch.rand(2, 3, 6, 7, requires_grad=True)
    index = InstanceIndex.of(semantics)
    index.average(x)[4, 1].backward()
    inside = index.of_pixel == 4
    assert x.grad is not None and not x.grad[:, [0, 2]].any()
    torch.testing.assert_close(x.grad[:, 1], inside / inside.sum())


def test_half_precision_is_averaged_in_float32() -> None:
    semantics = SemanticMap.from_labels(torch.zeros(1, 64, 64, dtype=torch.long), 1, torch.zeros(1, 64, 64).long())
    x = torch.ones(1, 1, 64, 64, dtype=torch.bfloat16)  # summed in bfloat16 these would stay at 256
    assert InstanceIndex.of(semantics).average(x).item() == 1.0


def test_encoder_shapes_learning_and_recipe() -> None:
    encoder = InstanceEncoder(3, width=2, downsamplings=2, gain=0.3)
    semantics = maps(2, 24, 30, 1)  # 30 is no multiple of 4
    photo = torch.rand(2, 3, 24, 30) * 2 - 1
    features, logvar = encoder(photo, semantics)
    assert features.shape == (2, 3, 24, 30) and logvar is None and float(features.detach().abs().max()) <= 1
    features.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for n, p in encoder.named_parameters() if "weight" in n)
    twin = build(recipe(encoder))
    twin.load_state_dict(encoder.state_dict())
    assert torch.equal(twin(photo, semantics)[0], features)


def test_what_it_cannot_encode() -> None:
    encoder = InstanceEncoder(3, width=2, downsamplings=2)
    with pytest.raises(InputError, match="instance features need instance maps"):
        encoder(torch.rand(1, 3, 8, 8), SemanticMap(torch.zeros(1, 8, 8, dtype=torch.long), 2))
    with pytest.raises(InputError, match=r"the photos have shape \(1, 3, 8, 12\)"):
        encoder(torch.rand(1, 3, 8, 12), maps(1, 8, 8, 0))


# --- clusters --------------------------------------------------------------------------------------------------------


def clustered() -> InstanceEncoder:
    """Classes 0 and 2 have clusters: the first one at (1, 1), the other at (2, 2) and three times as often (3, 3)."""
    encoder = InstanceEncoder(2, width=1, downsamplings=1)
    centres = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    encoder.set_clusters(centres, torch.tensor([0, 2, 2]), torch.tensor([4, 1, 3]))
    return encoder


def columns(classes: list[int]) -> SemanticMap:
    """A map of one column for each instance."""
    labels = torch.tensor(classes)[None, None].repeat(1, 4, 1)
    return SemanticMap.from_labels(labels, CLASSES, torch.arange(len(classes))[None, None].repeat(1, 4, 1))


def drawn(encoder: InstanceEncoder, semantics: SemanticMap, seed: int) -> Tensor:
    return encoder.draw(semantics, torch.Generator().manual_seed(seed))


def test_clusters_are_drawn_by_class_and_by_count() -> None:
    encoder, semantics = clustered(), columns([2] * 2000 + [0] * 5)
    features = drawn(encoder, semantics, 0)
    assert features.shape == (1, 2, 4, 2005)
    values = features[0, 0, 0]
    assert torch.equal(features, values.expand(1, 2, 4, 2005))  # constant in each instance, a centre as a whole
    assert set(values[2000:].tolist()) == {1.0} and set(values[:2000].tolist()) == {2.0, 3.0}
    assert float((values[:2000] == 3).float().mean()) == pytest.approx(0.75, abs=0.05)
    assert torch.equal(features, drawn(encoder, semantics, 0))
    assert not torch.equal(features, drawn(encoder, semantics, 1))


def test_a_class_that_was_never_seen_gets_the_mean_of_all() -> None:
    features = drawn(clustered(), columns([4, 0]), 0)
    assert features[0, :, 0, 0].tolist() == [(4 * 1 + 1 * 2 + 3 * 3) / 8] * 2
    assert features[0, :, 0, 1].tolist() == [1.0, 1.0]
    assert drawn(clustered(), columns([4, 1]), 0).unique().tolist() == [1.875]


def test_clusters_travel_with_the_state() -> None:
    encoder, twin = clustered(), InstanceEncoder(2, width=1, downsamplings=1)
    twin.load_state_dict(encoder.state_dict())
    assert torch.equal(drawn(twin, columns([2, 0, 1]), 3), drawn(encoder, columns([2, 0, 1]), 3))
    with torch.device("meta"):
        bare = InstanceEncoder(2, width=1, downsamplings=1)
    bare.load_state_dict(encoder.state_dict(), assign=True)
    assert torch.equal(bare.cluster_centres, encoder.cluster_centres)
    with pytest.raises(RuntimeError, match="cluster_centres"):
        InstanceEncoder(3, width=1, downsamplings=1).load_state_dict(encoder.state_dict())


def test_without_clusters_nothing_is_drawn() -> None:
    with pytest.raises(InputError, match="i2i cluster-features"):
        InstanceEncoder(2, width=1, downsamplings=1).draw(columns([0]))
