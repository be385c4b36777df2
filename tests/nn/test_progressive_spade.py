"""The SPADE generator that grows: grown out it is SPADE, and nothing jumps on the way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from i2i import semantics as semantics_module
from i2i.checkpoint import load_file, restore, save_model
from i2i.errors import InputError
from i2i.export.traceable import TraceableSPADE, traceable
from i2i.nn.folded import FoldedSPADE
from i2i.nn.progressive_spade import ProgressiveSPADEGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.recipe import build, recipe
from i2i.semantics import LabelSemantics, SemanticMap

CLASSES = 4
SMALL: dict[str, Any] = {"width": 2, "hidden": 4, "gain": 1.0, "base_size": (2, 4)}
EVERY = [0.0, 0.5, 1.0, 1.25, 2.0]


def generator(now: float = 2.0, stages: int = 2, **changes: Any) -> ProgressiveSPADEGenerator:
    """In float64, with statistics that are not at their start."""
    torch.manual_seed(0)
    made = ProgressiveSPADEGenerator(CLASSES, stages, **SMALL | changes).double().eval()
    for name, buffer in made.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.5)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return grown(made, now)


def grown(network: ProgressiveSPADEGenerator, now: float) -> ProgressiveSPADEGenerator:
    network.growth.now = now
    network.release()
    return network


def semantics(batch: int = 2, height: int = 64, width: int = 128) -> SemanticMap:
    random = torch.Generator().manual_seed(1)
    labels = torch.randint(CLASSES, (batch, height // 4, width // 4), generator=random)
    return SemanticMap.from_labels(labels.repeat_interleave(4, 1).repeat_interleave(4, 2), CLASSES)


def style(network: SPADEGenerator, batch: int = 2) -> Tensor | None:
    if network.style_dim is None:
        return None
    return torch.randn(batch, network.style_dim, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("changes", [{}, {"style_dim": 3}, {"upsamplings": 6, "norm": "instance"}, {"hidden": 32}])
@pytest.mark.parametrize("training", [False, True])
def test_grown_out_it_is_the_plain_generator_bit_for_bit(changes: dict[str, Any], training: bool) -> None:
    """Pictures and gradients, folded too; its weights are the plain one's, with heads beside them."""
    ours = generator(**changes)
    plain = SPADEGenerator(CLASSES, **SMALL | changes).double()
    weights = {n: t for n, t in ours.state_dict().items() if not n.startswith(("heads.", "growth."))}
    plain.load_state_dict(weights)
    results = []
    for network in (plain.train(training), ours.train(training)):
        picture = network(semantics(), style(network))
        trained = [p for n, p in network.named_parameters() if not n.startswith("heads.")]
        results.append((picture, *torch.autograd.grad((picture * torch.linspace(-1, 1, 128).double()).sum(), trained)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    folded = [network.eval().fold() for network in (plain, ours)]
    assert [type(one) for one in folded] == [FoldedSPADE, FoldedSPADE]
    assert torch.equal(*(one(semantics(), style(one)) for one in folded))


@pytest.mark.parametrize("stages", [1, 2, 5])
@pytest.mark.parametrize("before", [0, 1])
def test_a_size_is_faded_in_without_a_jump(stages: int, before: int) -> None:
    """At its ends a fade is the size before it and the size after it; in the middle it is their mean."""
    if before >= stages:
        before = stages - 1
    network = generator(stages=stages, style_dim=3)
    with torch.no_grad():
        made = {
            now: grown(network, before + now)(semantics(), style(network)) for now in (0.0, 1e-9, 0.5, 1 - 1e-9, 1.0)
        }
    torch.testing.assert_close(made[1e-9], made[0.0], rtol=0, atol=1e-8)
    torch.testing.assert_close(made[1 - 1e-9], made[1.0], rtol=0, atol=1e-8)
    torch.testing.assert_close(made[0.5], (made[0.0] + made[1.0]) / 2, rtol=0, atol=1e-12)
    assert (made[1.0] - made[0.0]).abs().max() > 1e-3


def test_what_is_small_is_made_of_the_small_map_by_the_first_blocks_alone() -> None:
    """Of a quarter of the size: every pixel 4 × 4 times, and nothing finer in the map, no later block has a say."""
    network = generator(0.0)
    with torch.no_grad():
        picture = network(semantics())
        assert torch.equal(picture, picture[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3))
        finer = semantics().labels.clone()
        finer[:, 1::2] = finer[:, 1::4].repeat_interleave(2, 1).flip(1)
        finer[:, :, 3::4] = 0
        finer[:, ::4, ::4] = semantics().labels[:, ::4, ::4]
        assert torch.equal(network(SemanticMap.from_labels(finer, CLASSES)), picture)
        for part in [*network.blocks[5:], network.last, network.heads[1]]:
            for parameter in part.parameters():
                parameter.fill_(float("nan"))
        assert torch.equal(network(semantics()), picture)
        # The same from the parts, one after the other: 8 times as wide as the first map, as the published 64 are.
        x = network.first_map(semantics().resized(2, 4), None)
        for block, factor in zip(network.blocks[:5], (1, 2, 2, 4, 8), strict=True):
            x = block(x, semantics().resized(2 * factor, 4 * factor), "dense")
        torch.testing.assert_close(torch.tanh(network.heads[0](F.leaky_relu(x, 0.2))), picture[:, :, ::4, ::4])


@pytest.mark.parametrize("now", EVERY)
@pytest.mark.parametrize("changes", [{"style_dim": 3}, {"norm": "instance", "hidden": 32}])
def test_folded_and_by_patterns_it_is_the_same(now: float, changes: dict[str, Any]) -> None:
    network = generator(now, **changes)
    with torch.no_grad():
        network.modulation = "dense"
        expected = network(semantics(), style(network))
        network.modulation = "patterns"
        torch.testing.assert_close(network(semantics(), style(network)), expected, rtol=0, atol=1e-9)
        torch.testing.assert_close(network.fold()(semantics(), style(network)), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("now", EVERY)
def test_what_takes_a_gradient_is_what_gets_one(now: float) -> None:
    network = generator(now, style_dim=3).train()
    network(semantics(), style(network)).square().sum().backward()
    assert {n for n, p in network.named_parameters() if p.requires_grad} == {
        n for n, p in network.named_parameters() if p.grad is not None
    }
    assert any(p.requires_grad for p in network.last.parameters()) == (now > 1)


@pytest.mark.parametrize("now", EVERY)
def test_the_plan_of_patterns_serves_at_every_size(now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network = generator(now, hidden=32)
    ready = semantics()
    network.pattern_plan().find(ready)
    with torch.no_grad():
        expected = network(semantics())

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("numbered in the step")

        monkeypatch.setattr(semantics_module, "find_patterns", refuse)
        assert torch.equal(network(ready), expected)


@pytest.mark.parametrize("now", EVERY)
def test_a_file_keeps_how_far_it_has_grown(now: float, tmp_path: Any) -> None:
    network = generator(now).float()
    save_model(tmp_path / "model.ckpt", network, LabelSemantics(CLASSES))
    loaded = restore(load_file(tmp_path / "model.ckpt"), "generator")
    with torch.no_grad():
        assert torch.equal(loaded.eval()(semantics()), network(semantics()))
    assert recipe(build(recipe(network))) == recipe(network)


def test_as_a_graph_it_is_exported_grown_out() -> None:
    network = generator(style_dim=3).float()
    graph = traceable(network, LabelSemantics(CLASSES))
    assert type(graph) is TraceableSPADE
    with torch.no_grad():
        z = torch.randn(2, 3)
        torch.testing.assert_close(graph(semantics(), z), network(semantics(), z), rtol=0, atol=1e-5)
    with pytest.raises(InputError, match="cannot be exported as a graph"):
        traceable(grown(network, 1.5), LabelSemantics(CLASSES))


def test_stages_out_of_range_are_refused() -> None:
    for stages in (0, 6):
        with pytest.raises(InputError, match=f"stages is {stages}; with 5 up-samplings allowed are 1 to 5"):
            ProgressiveSPADEGenerator(CLASSES, stages, **SMALL)
