"""SPADE by label patterns is the dense SPADE: outputs, every gradient, running statistics, folded and cached."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from i2i.convert import load_official
from i2i.nn import folded_block as folded_module
from i2i.nn import pattern_modulation
from i2i.nn.norm import normalise, param_free_norm
from i2i.nn.pattern_modulation import TableWeights, cheapest, modulation_tables
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import SPADEResnetBlock
from i2i.patterns import PatternCounts
from i2i.recipe import recipe
from i2i.semantics import SemanticMap
from tests.processes import in_two_processes

# folder of label maps, of instance maps, ending of both, classes, what is not a label becomes
SETS: dict[str, tuple[str, str | None, str, int, int]] = {
    "ade20k": ("ADEChallengeData2016/annotations/validation", None, ".png", 151, 0),
    "camvid": ("camvid/valannot", None, ".png", 12, 11),
    "cityscapes": ("cityscapes/gtFine/val/frankfurt", "cityscapes/gtFine/val/frankfurt", "labelIds.png", 35, 0),
    "coco_stuff": ("coco_stuff/stuffthingmaps/val2017", "coco_stuff/instances/val2017", ".png", 183, 182),
}


def real_map(shared: Path, name: str, height: int, width: int, batch: int = 1) -> SemanticMap:
    folder, instances, ending, classes, unknown = SETS[name]
    paths = sorted(p for p in (shared / "data" / folder).iterdir() if p.name.endswith(ending))[:batch]

    def read(path: Path) -> np.ndarray:
        return np.asarray(Image.open(path).resize((width, height), Image.Resampling.NEAREST)).astype(np.int64)

    labels = np.stack([read(p) for p in paths])
    labels[labels >= classes] = unknown
    if instances is None:
        return SemanticMap.from_labels(labels, classes)
    names = [p.name.replace("labelIds", "instanceIds") for p in paths]
    return SemanticMap.from_labels(labels, classes, np.stack([read(shared / "data" / instances / n) for n in names]))


def network(channels: int, dtype: torch.dtype = torch.float64, **changes: Any) -> SPADEGenerator:
    """A small generator whose every number counts: no bias is zero, no running statistic is at its start."""
    arguments: dict[str, Any] = {"width": 2, "hidden": 4, "gain": 1.0, "base_size": (2, 2)}
    generator = SPADEGenerator(channels, **(arguments | changes))
    with torch.no_grad():
        for name, p in generator.named_parameters():
            if name.endswith("bias"):
                p.normal_(0, 0.3)
        for name, b in generator.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.5)
            if name.endswith("running_var"):
                b.uniform_(0.5, 2)
    return generator.to(dtype)


def style_of(generator: SPADEGenerator, batch: int) -> Tensor | None:
    if generator.style_dim is None:
        return None
    return torch.randn(batch, generator.style_dim, dtype=generator.last.weight.dtype, requires_grad=True)


def assert_same_training(generator: SPADEGenerator, semantics: SemanticMap, training: bool, method: Any) -> None:
    """Output, all gradients and all buffers of the dense path and of another, in float64."""
    dense, fast = copy.deepcopy(generator).train(training), copy.deepcopy(generator).train(training)
    dense.modulation, fast.modulation = "dense", method
    style = style_of(generator, semantics.batch)
    results = []
    for net in (dense, fast):
        out = net(semantics, style)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out).cos()
        leaves = [*net.parameters(), *([] if style is None else [style])]
        results.append((out.detach(), torch.autograd.grad((out * weights).sum(), leaves)))
    (expected, gradients), (found, others) = results
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    largest = max(float(g.abs().max()) for g in gradients)
    assert largest > 1e-3
    for (name, _), a, b in zip([*generator.named_parameters(), ("style", None)], others, gradients, strict=False):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * max(1.0, largest), msg=lambda m, n=name: f"{n}: {m}")
    for (name, a), b in zip(fast.named_buffers(), dense.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")


# --- on real maps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients_on_real_maps(shared: Path, name: str, training: bool) -> None:
    semantics = real_map(shared, name, 64, 96, batch=2)
    style = name in ("ade20k", "cityscapes")
    generator = network(semantics.channels, style_dim=3 if style else None)
    assert_same_training(generator, semantics, training, "patterns")


@pytest.mark.parametrize("norm", ["batch", "global_batch", "instance", "none"])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("training", [True, False])
def test_every_norm_and_kernel(shared: Path, norm: Any, kernel: Any, training: bool) -> None:
    semantics = real_map(shared, "camvid", 64, 64)
    generator = network(semantics.channels, norm=norm, kernel=kernel, spectral=norm != "none")
    assert_same_training(generator, semantics, training, "patterns")


@pytest.mark.parametrize("changes", [{"shared_input_norm": False}, {"upsamplings": 6}, {"upsamplings": 7}])
def test_every_architecture(shared: Path, changes: dict[str, Any]) -> None:
    semantics = real_map(shared, "cityscapes", 128, 256)
    assert_same_training(network(semantics.channels, style_dim=2, **changes), semantics, True, "patterns")


@torch.no_grad()
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [(64, 64), (160, 256), (512, 256)])
def test_single_precision_on_real_maps(shared: Path, name: str, size: tuple[int, int]) -> None:
    semantics = real_map(shared, name, *size)
    generator = network(semantics.channels, torch.float32, width=4, hidden=16).eval()
    results = {}
    for generator.modulation in ("dense", "patterns", "auto"):
        results[generator.modulation] = generator(semantics)
    results["folded"] = generator.fold()(semantics)
    assert results["dense"].std() > 0.05
    for found in results.values():
        torch.testing.assert_close(found, results["dense"], rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", ["spade-cityscapes", "spade-coco-vae"])
def test_the_published_network(shared: Path, name: str) -> None:
    model = load_official(shared / "golden" / name)
    with np.load(shared / "golden" / name / "io.npz") as arrays:
        labels, instances, style, expected = (
            torch.from_numpy(arrays[n]) for n in ("label", "instance", "z", "fake_eval")
        )
    semantics = model.semantics(labels, instances)
    for model.generator.modulation in ("dense", "patterns", "auto"):
        torch.testing.assert_close(model.generator(semantics, style), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(model.generator.fold()(semantics, style), expected, rtol=0, atol=1e-4)


# --- on drawn maps -------------------------------------------------------------------------------------------------


def drawn_map(kind: str, batch: int, height: int, width: int, edges: bool, seed: int) -> SemanticMap:
    random = torch.Generator().manual_seed(seed)
    labels = torch.full((batch, height, width), int(torch.randint(0, 4, (), generator=random)))
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    if kind == "noise":
        labels = torch.randint(0, 4, labels.shape, generator=random)
    elif kind == "stripes":
        labels = ((rows + columns * 2) // 3 % 4).expand_as(labels)
    elif kind == "checkerboard":
        labels = ((rows + columns) % 2).expand_as(labels)
    elif kind == "pixel":
        labels[-1, height // 2, width - 1] = 3 - labels[0, 0, 0]
    instances = torch.randint(0, 2, labels.shape, generator=random) if edges else None
    return SemanticMap.from_labels(labels.contiguous(), 4, instances)


@settings(max_examples=30)
@given(
    kind=st.sampled_from(["noise", "stripes", "checkerboard", "pixel", "single"]),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 7), st.integers(2, 7)),
    larger=st.sampled_from([1, 2, 3]),
    edges=st.booleans(),
    channels=st.sampled_from([(3, 3), (4, 2)]),
    norm=st.sampled_from(["global_batch", "instance"]),
    seed=st.integers(0, 99),
    method=st.sampled_from(["auto", "patterns"]),
)
def test_a_block_on_any_map(
    kind: str,
    batch: int,
    size: tuple[int, int],
    larger: int,
    edges: bool,
    channels: tuple[int, int],
    norm: Any,
    seed: int,
    method: Any,
) -> None:
    torch.manual_seed(seed)
    semantics = drawn_map(kind, batch, size[0] * larger, size[1] * larger, edges, seed)
    block = SPADEResnetBlock(*channels, semantics.channels, norm, hidden=3).double()
    x = torch.randn(batch, channels[0], *size, dtype=torch.float64, requires_grad=True)
    twin = copy.deepcopy(block)
    expected, found = block(x, semantics, "dense"), twin(x, semantics, method)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    gradients = torch.autograd.grad(expected.square().sum(), [x, *block.parameters()])
    others = torch.autograd.grad(found.square().sum(), [x, *twin.parameters()])
    # A gradient that a normalisation over few values cancels is rounding noise of the larger ones.
    largest = max(1.0, *(float(g.abs().max()) for g in gradients))
    torch.testing.assert_close(others, gradients, rtol=1e-9, atol=1e-9 * largest)
    torch.testing.assert_close(twin.state_dict(), block.state_dict(), rtol=1e-12, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("way", ["gather", "products", "pixels"])
def test_all_ways_give_the_same_tables(monkeypatch: pytest.MonkeyPatch, way: str, kernel: Any) -> None:
    semantics = drawn_map("noise", 2, 9, 8, True, 0)
    block = SPADEResnetBlock(4, 2, semantics.channels, kernel=kernel, hidden=3).double()
    monkeypatch.setattr(pattern_modulation, "cheapest", lambda _: way)
    rows, tables = modulation_tables(TableWeights.of(block.modulations), semantics)
    dense = semantics.dense(torch.float64)
    for modulation, table in zip(block.modulations, tables, strict=True):
        hidden = modulation.shared(dense).clamp(min=0)
        expected = torch.cat([1 + modulation.gamma(hidden), modulation.beta(hidden)], 1)
        torch.testing.assert_close(table[rows.index.long()].permute(0, 3, 1, 2), expected, rtol=0, atol=1e-12)


def test_the_way_goes_by_the_counts() -> None:
    assert cheapest(PatternCounts(65536, 800, 3000, False)) == "products"
    assert cheapest(PatternCounts(256, 140, 160, False)) == "gather"
    assert cheapest(PatternCounts(65536, 65000, 65536, False)) == "pixels"


def test_automatic_choice_trains_alike_on_noise() -> None:
    semantics = drawn_map("noise", 1, 64, 64, False, 1)
    generator = network(semantics.channels)
    counts = semantics.patterns(64, 64).counts
    assert cheapest(counts) == "pixels"
    assert_same_training(generator, semantics, True, "auto")


# --- what surrounds it ---------------------------------------------------------------------------------------------


def test_neither_recipe_nor_weights_know_the_method() -> None:
    generator = network(4)
    before = recipe(generator), list(generator.state_dict())
    generator.modulation = "patterns"
    assert (recipe(generator), list(generator.state_dict())) == before
    assert copy.deepcopy(generator).modulation == "patterns"


@torch.no_grad()
def test_reduced_precision_stays_close() -> None:
    semantics = drawn_map("stripes", 1, 64, 64, True, 0)
    generator = network(semantics.channels, torch.float32, gain=0.5, style_dim=3).eval()
    style = style_of(generator, 1)
    expected = generator(semantics, style)
    with torch.autocast("cpu", torch.bfloat16):
        found = generator(semantics, style)
        _, tables = modulation_tables(TableWeights.of(generator.blocks[0].modulations), semantics)  # type: ignore
    assert all(table.dtype == torch.float32 for table in tables)
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)
    found = generator.fold(torch.bfloat16)(semantics, style)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", ["batch", "global_batch", "instance", "none"])
@pytest.mark.parametrize("training", [True, False])
def test_normalising_before_repeating(kind: Any, training: bool) -> None:
    ours, theirs = (param_free_norm(kind, 3).double().train(training) for _ in range(2))
    for _ in range(2):
        x = torch.randn(2, 3, 2, 3, dtype=torch.float64) * 3 + 1
        repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        found = normalise(ours, x, copies=4).repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(found, theirs(repeated))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-12, atol=1e-12)


def batch_and_maps() -> tuple[Tensor, SemanticMap]:
    random = torch.Generator().manual_seed(5)
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64, generator=random) * 2 + 1
    return x, SemanticMap(torch.randint(0, 3, (3, 10, 12), generator=random), 3)


def make_block() -> nn.Module:
    torch.manual_seed(1)
    return SPADEResnetBlock(4, 2, 3, hidden=3).double()


def one_of_two(rank: int) -> Any:
    x, semantics = batch_and_maps()
    share = slice(0, 1) if rank == 0 else slice(1, 3)
    block = make_block()
    out = block(x[share], SemanticMap(semantics.labels[share], 3), "patterns")
    return out.detach(), block.state_dict()


def test_two_processes_equal_one() -> None:
    x, semantics = batch_and_maps()
    block = make_block()
    expected = block(x, semantics, "dense").detach()
    parts = in_two_processes(one_of_two)
    torch.testing.assert_close(torch.cat([out for out, _ in parts]), expected, rtol=0, atol=1e-9)
    for _, state in parts:
        torch.testing.assert_close(state, dict(block.state_dict()), rtol=1e-9, atol=1e-9)


# --- folded --------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("norm", ["batch", "global_batch", "instance", "none"])
@pytest.mark.parametrize("changes", [{"style_dim": 3}, {"shared_input_norm": False, "kernel": 5}, {"spectral": False}])
def test_folding_changes_nothing(norm: Any, changes: dict[str, Any]) -> None:
    semantics = drawn_map("stripes", 2, 64, 96, True, 0)
    generator = network(semantics.channels, norm=norm, **changes).eval()
    before = copy.deepcopy(generator.state_dict())
    style = style_of(generator, 2)
    folded = generator.train().fold()
    torch.testing.assert_close(dict(generator.state_dict()), dict(before), rtol=0, atol=0)
    assert generator.training
    found = folded(semantics, style)
    generator.eval().modulation = "dense"
    torch.testing.assert_close(found, generator(semantics, style), rtol=0, atol=1e-9)
    for p in generator.parameters():
        p.zero_()
    torch.testing.assert_close(folded(semantics, style), found, rtol=0, atol=0)
    assert (folded.multiple, folded.style_dim, folded.training) == (32, changes.get("style_dim"), False)


def test_tables_are_made_once_for_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    semantics = drawn_map("stripes", 1, 64, 64, False, 0)
    generator = network(semantics.channels, style_dim=3).eval()
    folded = generator.fold()
    calls = []

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return modulation_tables(*arguments)

    monkeypatch.setattr(folded_module, "modulation_tables", counted)
    with torch.inference_mode():
        for _ in range(3):
            style = torch.randn(1, 3, dtype=torch.float64)
            torch.testing.assert_close(folded(semantics, style), generator(semantics, style), rtol=0, atol=1e-9)
    assert len(calls) == len(generator.blocks)
    wanted = torch.randn(1, 3, dtype=torch.float64, requires_grad=True)  # a style may be searched for by its gradient
    (found,) = torch.autograd.grad(folded(semantics, wanted).square().sum(), wanted)
    (expected,) = torch.autograd.grad(generator(semantics, wanted).square().sum(), wanted)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    folded(drawn_map("noise", 1, 64, 64, False, 0), wanted)
    assert len(calls) == 2 * len(generator.blocks)


def test_threads_share_a_folded_generator() -> None:
    semantics = drawn_map("noise", 1, 64, 64, True, 3)
    folded = network(semantics.channels, style_dim=3).eval().fold()
    styles = torch.randn(4, 1, 3, dtype=torch.float64)
    expected = [folded(SemanticMap(semantics.labels, 4, semantics.edges), style) for style in styles]
    found: dict[int, Tensor] = {}

    def work(i: int) -> None:
        with torch.inference_mode():
            found[i] = folded(semantics, styles[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, photo in enumerate(expected):
        torch.testing.assert_close(found[i], photo, rtol=0, atol=1e-12)


def test_a_folded_generator_has_no_recipe() -> None:
    with pytest.raises(TypeError, match="FoldedSPADE is not a recorded class"):
        recipe(network(4).fold())
