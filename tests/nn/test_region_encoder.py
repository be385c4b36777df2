"""Style codes of regions: averages against loops, classes that are absent, and what is remembered of a training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.seen_styles import SeenStyles
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap
from tests.processes import in_two_processes

CLASSES = 5
D = 3


def maps(batch: int, height: int, width: int, seed: int, cell: int = 3) -> SemanticMap:
    """Of classes 0 to 3; the last is in no map."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, CLASSES - 1, (2, batch, -(-height // cell), -(-width // cell)), generator=random)
    labels, ids = (m.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, :height, :width] for m in coarse)
    return SemanticMap.from_labels(labels, CLASSES, 1000 * ids)


def encoder(regions: Any = "class", **changes: Any) -> RegionEncoder:
    network = RegionEncoder(CLASSES, D, regions, **({"width": 2, "gain": 1.0} | changes)).double()
    network.seen.means.normal_()
    network.seen.updates.fill_(1)
    return network.eval()


def expected_codes(network: RegionEncoder, photo: Tensor, semantics: SemanticMap) -> Tensor:
    """By loops over the regions of each photo, at half its size."""
    assert semantics.instances is not None
    height, width = semantics.size
    features = network.layers(torch.nn.functional.pad(photo, (0, -width % 4, 0, -height % 4), mode="replicate"))
    rows = []
    for n in range(len(photo)):
        labels, ids = semantics.labels[n], semantics.instances[n]
        of_class = {}
        of_instance = {}
        for label in range(CLASSES):
            own = []
            for number in sorted(set(ids[labels == label].tolist())):
                pixels = [
                    features[n, :, y // 2, x // 2]
                    for y in range(0, height, 2)
                    for x in range(0, width, 2)
                    if (int(labels[y, x]), int(ids[y, x])) == (label, number)
                ]
                of_instance[label, number] = pixels
                own += [torch.stack(pixels).mean(0)] if network.regions == "instance" and pixels else pixels
            of_class[label] = torch.stack(own).mean(0) if own else network.seen.means[label]
        if network.regions == "class":
            rows.append(torch.stack([of_class[label] for label in range(CLASSES)]))
        else:
            codes = [torch.stack(p).mean(0) if p else of_class[k[0]] for k, p in sorted(of_instance.items())]
            rows.append(torch.stack(codes))
    longest = max(map(len, rows))
    return torch.stack([torch.cat([row, row.new_zeros(longest - len(row), D)]) for row in rows])


@settings(max_examples=20)
@given(
    size=st.tuples(st.integers(5, 13), st.integers(5, 13)),
    regions=st.sampled_from(["class", "instance"]),
    cell=st.sampled_from([1, 3, 5]),
    seed=st.integers(0, 99),
)
def test_codes_and_their_gradient_are_those_of_loops(size: tuple[int, int], regions: str, cell: int, seed: int) -> None:
    """Regions that are lost at half the size are among them, and sizes that are no multiple."""
    torch.manual_seed(seed)
    network, semantics = encoder(regions), maps(2, *size, seed, cell)
    photo = torch.rand(2, 3, *size, dtype=torch.float64, requires_grad=True)
    codes, logvar = network(photo, semantics)
    expected = expected_codes(network, photo, semantics)
    assert logvar is None and float(codes.detach().abs().max()) < 5
    torch.testing.assert_close(codes, expected)
    weights = torch.randn_like(codes)
    inputs = [photo, *network.parameters()]
    found, wanted = (torch.autograd.grad((c * weights).sum(), inputs) for c in (codes, expected))
    torch.testing.assert_close(found, wanted)


def test_a_photo_is_encoded_as_by_itself() -> None:
    network, semantics = encoder(), maps(3, 8, 12, 0)
    photo = torch.rand(3, 3, 8, 12, dtype=torch.float64)
    whole = network(photo, semantics)[0]
    for n in range(3):
        one = SemanticMap.from_labels(semantics.labels[n : n + 1], CLASSES)
        torch.testing.assert_close(network(photo[n : n + 1], one)[0], whole[n : n + 1])


def test_a_code_is_of_its_region_alone_where_the_features_are() -> None:
    """Without norm a code sees what the convolutions see: with another photo of the right half, those of the left stay
    but near the border."""
    network = encoder(norm="none")
    labels = torch.zeros(1, 8, 64, dtype=torch.long)
    labels[..., 8:56], labels[..., 56:] = 1, 2
    semantics = SemanticMap.from_labels(labels, CLASSES)
    photo = torch.rand(1, 3, 8, 64, dtype=torch.float64)
    other = photo.clone()
    other[..., 56:] = 0
    before, after = network(photo, semantics)[0], network(other, semantics)[0]
    torch.testing.assert_close(after[0, 0], before[0, 0], rtol=0, atol=1e-12)
    assert (after[0, 2] - before[0, 2]).abs().max() > 1e-3


def test_by_region_and_by_class() -> None:
    semantics = maps(1, 12, 12, 4)
    assert semantics.instances is not None
    photo = torch.rand(1, 3, 12, 12, dtype=torch.float64)
    by_class = encoder()
    codes = by_class.by_region(photo, semantics)
    assert set(codes) == set(semantics.labels.unique().tolist())
    for label, code in codes.items():
        torch.testing.assert_close(code, by_class(photo, semantics)[0][0, label])
    by_instance = encoder("instance")
    assert set(by_instance.by_region(photo, semantics)) == set(semantics.instances.unique().tolist())
    means, known = by_instance.by_class(photo, semantics)
    assert known.tolist() == [[label in codes for label in range(CLASSES)]] and means.shape == (1, CLASSES, D)


# --- what is remembered ----------------------------------------------------------------------------------------------


def test_means_and_styles_of_a_training() -> None:
    """The mean of a class over photos that have it, then over batches; the last photos as they were."""
    seen = SeenStyles(3, 2, remembered=3)
    assert not seen.typical.any() and seen.count == 0
    codes = torch.tensor([[[1.0, 1], [2, 2], [9, 9]], [[3, 3], [9, 9], [9, 9]]])
    known = torch.tensor([[True, True, False], [True, False, False]])
    seen.remember(codes, known)
    assert seen.means.tolist() == [[2, 2], [2, 2], [0, 0]] and seen.updates.tolist() == [1, 1, 0]
    assert seen.typical.tolist() == [[2, 2], [2, 2], [2, 2]]  # never seen: the mean of the others
    seen.remember(torch.full((2, 3, 2), 4.0), torch.tensor([[True, False, False], [True, False, False]]))
    assert seen.means[0].tolist() == [3, 3] and seen.means[1].tolist() == [2, 2]
    assert seen.count == 3 and int(seen.photos) == 4
    assert seen.styles[0].tolist() == [[4, 4], [0, 0], [0, 0]]  # the fourth photo stands where the first was
    assert seen.styles[1].tolist() == [[3, 3], [0, 0], [0, 0]]
    for _ in range(2000):
        seen.remember(torch.full((1, 3, 2), 5.0), torch.tensor([[True, True, True]]))
    torch.testing.assert_close(seen.means, torch.full((3, 2), 5.0), rtol=0, atol=1e-2)
    seen.remember(torch.full((1, 3, 2), 6.0), torch.tensor([[True, True, True]]))
    torch.testing.assert_close(seen.means, torch.full((3, 2), 5.01), rtol=0, atol=1e-3)  # a hundredth of the step


def test_more_photos_in_a_batch_than_are_remembered() -> None:
    seen = SeenStyles(1, 1, remembered=2)
    seen.remember(torch.arange(5.0)[:, None, None], torch.ones(5, 1, dtype=torch.bool))
    assert sorted(seen.styles.flatten().tolist()) == [3, 4]
    seen.remember(torch.tensor([[[7.0]]]), torch.ones(1, 1, dtype=torch.bool))
    assert sorted(seen.styles.flatten().tolist()) == [4, 7]


def test_drawn_styles_are_those_of_photos() -> None:
    network = RegionEncoder(CLASSES, D, width=2, gain=1.0, remembered=4).train()
    assert not network.draws
    semantics = maps(2, 8, 12, 0)
    for seed in range(3):
        torch.manual_seed(seed)
        network(torch.rand(2, 3, 8, 12), semantics)
    assert network.draws and int(network.seen.photos) == 6
    styles = network.seen.filled(network.seen.styles, network.seen.known)
    found = set()
    for seed in range(40):
        drawn = network.draw(semantics, torch.Generator().manual_seed(seed))
        assert torch.equal(drawn, network.draw(semantics, torch.Generator().manual_seed(seed)))
        for row in drawn:
            found |= {i for i in range(4) if torch.equal(row, styles[i])}
            assert any(torch.equal(row, style) for style in styles)
    assert found == {0, 1, 2, 3}


def test_only_training_is_remembered_and_it_travels_with_the_state() -> None:
    network, semantics = RegionEncoder(CLASSES, D, width=2), maps(2, 8, 8, 0)
    photo = torch.rand(2, 3, 8, 8)
    network.eval()(photo, semantics)
    assert not network.draws
    network.train()(photo, semantics)
    assert network.draws and network.seen.updates.tolist() == [1, 1, 1, 1, 0]
    twin = build(recipe(network))
    twin.load_state_dict(network.state_dict())
    twin.eval()
    assert torch.equal(twin(photo, semantics)[0], network.eval()(photo, semantics)[0])
    assert twin.draws


def test_instances_draw_the_code_of_their_class() -> None:
    network, semantics = RegionEncoder(CLASSES, D, "instance", width=2).train(), maps(1, 9, 9, 2)
    network(torch.rand(1, 3, 9, 9), semantics)
    of_photo = network.seen.filled(network.seen.styles[:1], network.seen.known[:1])[0]
    drawn = network.draw(semantics)[0]
    labels = sorted((int(c), int(i)) for c, i in {*zip(*(m.flatten().tolist() for m in _both(semantics)), strict=True)})
    assert len(labels) == len(drawn)
    for (label, _), code in zip(labels, drawn, strict=True):
        assert torch.equal(code, of_photo[label])


def _both(semantics: SemanticMap) -> tuple[Tensor, Tensor]:
    assert semantics.instances is not None
    return semantics.labels, semantics.instances


def _means(rank: int) -> Tensor:
    torch.manual_seed(0)
    network = RegionEncoder(CLASSES, D, width=2, gain=1.0)
    semantics = maps(2, 8, 8, 0)
    own = SemanticMap.from_labels(semantics.labels[rank : rank + 1], CLASSES)
    network(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))[rank : rank + 1], own)
    return network.seen.means


@pytest.mark.slow
def test_two_processes_have_the_means_of_both() -> None:
    torch.manual_seed(0)
    network = RegionEncoder(CLASSES, D, width=2, gain=1.0)
    network(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)), maps(2, 8, 8, 0))
    for means in in_two_processes(_means):
        torch.testing.assert_close(means, network.seen.means)


@pytest.mark.parametrize(
    ("photo", "semantics", "message"),
    [
        ((1, 3, 8, 12), maps(1, 8, 8, 0), r"the photos have shape \(1, 3, 8, 12\)"),
        ((1, 3, 8, 8), SemanticMap.from_labels(torch.zeros(1, 8, 8, dtype=torch.long), 2), "of 2 classes, the encoder"),
        ((1, 3, 8, 8), None, "those of label maps"),
    ],
)
def test_what_it_cannot_encode(photo: tuple[int, ...], semantics: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encoder()(torch.rand(photo, dtype=torch.float64), semantics)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="remembered is 0"):
        RegionEncoder(4, remembered=0)
    network = RegionEncoder(2, regions="instance", width=1)
    without = SemanticMap.from_labels(torch.zeros(1, 8, 8, dtype=torch.long), 2)
    with pytest.raises(InputError, match="no instance maps"):
        network(torch.rand(1, 3, 8, 8), without)
