"""Recalculated batch statistics are the plain mean over the batches."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from i2i.nn.norm import GlobalBatchNorm2d
from i2i.nn.oasis import OASISGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.statistics import batch_norms, recalculate_statistics
from i2i.semantics import SemanticMap


@pytest.mark.parametrize("layer", [nn.BatchNorm2d, GlobalBatchNorm2d])
def test_it_is_the_mean_over_batches(layer: Any) -> None:
    first, second = layer(3), layer(5)
    network = nn.Sequential(first, nn.Conv2d(3, 5, 3), nn.ReLU(), second, nn.Dropout(0.5)).double()
    first.momentum = 0.3
    batches = [torch.randn(n, 3, 6, 7, dtype=torch.float64) * n + n for n in (1, 4, 2)]
    assert recalculate_statistics(network, [(x,) for x in batches]) == 3
    inputs = [[], []]  # type: list[list[Tensor]]
    for x in batches:
        inputs[0].append(x)
        normalised = (x - x.mean((0, 2, 3), keepdim=True)) / (
            x.var((0, 2, 3), correction=0, keepdim=True) + first.eps
        ).sqrt()
        affine = 1.0 if first.weight is None else first.weight[:, None, None]
        inputs[1].append(network[1](normalised * affine).relu())
    for norm, seen in zip((first, second), inputs, strict=True):
        mean = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
        variance = torch.stack([x.var((0, 2, 3), correction=1) for x in seen]).mean(0)
        torch.testing.assert_close(norm.running_mean, mean)
        torch.testing.assert_close(norm.running_var, variance)
    assert (first.momentum, second.momentum, network.training) == (0.3, 0.1, True)


def generator_and_batches() -> tuple[OASISGenerator, list[tuple[SemanticMap, Tensor]]]:
    torch.manual_seed(0)
    generator = OASISGenerator(3, 4, width=1, hidden=4, gain=1.0).double()
    maps = [SemanticMap.from_labels(torch.randint(0, 3, (2, 32, 64)), 3) for _ in range(3)]
    return generator, [(m, generator.draw(m).double()) for m in maps]


def test_nothing_else_changes() -> None:
    generator, batches = generator_and_batches()
    generator.blocks[2].eval()
    before, random = copy.deepcopy(generator.state_dict()), torch.get_rng_state()
    modes = [layer.training for layer in generator.modules()]
    recalculate_statistics(generator, batches)
    assert torch.equal(torch.get_rng_state(), random)
    assert [layer.training for layer in generator.modules()] == modes
    changed = {name for name, tensor in generator.state_dict().items() if not torch.equal(tensor, before[name])}
    expected = {name for name in before if name.rpartition(".")[2] in ("running_mean", "running_var")}
    assert changed == expected | {name for name in before if name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("modulation", ["dense", "patterns"])
def test_in_a_generator_they_are_those_of_what_the_norms_saw(modulation: Any) -> None:
    """Whether the features are up-sampled before the norm (dense) or after it (patterns)."""
    generator, batches = generator_and_batches()
    watched = copy.deepcopy(generator)
    watched.modulation = "dense"
    seen: dict[nn.Module, list[Tensor]] = {norm: [] for norm in batch_norms(watched)}
    for norm in seen:
        norm.register_forward_pre_hook(lambda layer, x: seen[layer].append(x[0]))
    recalculate_statistics(watched, batches)
    generator.modulation = modulation
    recalculate_statistics(generator, batches)
    for ours, (_, inputs) in zip(batch_norms(generator), seen.items(), strict=True):
        mean = torch.stack([x.mean((0, 2, 3)) for x in inputs]).mean(0)
        variance = torch.stack([x.var((0, 2, 3)) for x in inputs]).mean(0)
        torch.testing.assert_close((ours.running_mean, ours.running_var), (mean, variance))


def test_without_batches_the_statistics_stay() -> None:
    generator, _ = generator_and_batches()
    before = copy.deepcopy(generator.state_dict())
    assert recalculate_statistics(generator, []) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_an_error_leaves_the_modes_as_they_were() -> None:
    generator, batches = generator_and_batches()
    with pytest.raises(TypeError):
        recalculate_statistics(generator, [batches[0], (batches[0][0], None, None)])
    assert generator.training and all(norm.momentum == 0.1 for norm in batch_norms(generator))


def test_networks_without_batch_norm_have_none() -> None:
    assert not batch_norms(SPADEGenerator(3, width=1, norm="instance"))
