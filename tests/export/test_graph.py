"""The graph that is traced is the generator: folded, padded and cropped, whatever the size. Nothing is traced here."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize

from i2i.errors import InputError
from i2i.export.conditions import TracedMap, TracedNoise, edges_of, padded_to
from i2i.export.graph import Graph
from i2i.export.traceable import PictureNorm
from i2i.label_regions import class_regions
from i2i.nn.norm import InstanceNorm2d
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.noise import PixelNoiseMap, RegionNoiseMap
from i2i.pixels import padded
from i2i.semantics import LabelSemantics, SemanticMap, instance_edges
from i2i.synthesizer import Synthesizer
from tests.export.families import NAMES, model


def sample(graph: Graph, count: int, height: int, width: int) -> list[Tensor]:
    """Inputs of a graph by its own account of them."""
    multiple = graph.signature.multiple
    whole = -(-height // multiple) * multiple, -(-width // multiple) * multiple
    sizes: dict[Any, int] = {"batch": count, "height": height, "width": width}
    if graph.signature.names[-1] == "kept":
        picture = torch.zeros(1, graph.generator.label_channels, *whole)
        condition = graph.semantics.read({"condition": picture, "labels": torch.zeros(1, *whole, dtype=torch.int)})
        sizes["kept"] = graph.generator.draw(condition).shape[1]
    made = []
    for each in graph.signature.inputs:
        shape = [sizes.get(side, side) for side in each.shape]
        if each.dtype == "int64":
            made.append(torch.randint(0, 5, shape))
        else:
            made.append(torch.rand(shape) < 0.5 if each.dtype == "bool" else torch.rand(shape) * 2 - 1)
    return made


def reference(graph: Graph, generator: Any, inputs: list[Tensor]) -> Tensor:
    """The generator itself on the padded maps, dense."""
    named = dict(zip(graph.signature.names, inputs, strict=True))
    height, width = inputs[0].shape[-2:]
    multiple = generator.multiple
    maps = {
        {"image": "condition"}.get(name, name): padded(named[name], multiple)
        for name in ("labels", "instances", "image")
        if name in named
    }
    style = next((x for name, x in named.items() if name in ("style", "noise", "features", "kept")), None)
    if style is not None and style.dim() == 4:
        style = padded(style, multiple)
    if hasattr(generator, "modulation"):
        generator.modulation = "dense"
    photo: Tensor = generator(graph.semantics.read(maps), style)[:, :, :height, :width]
    return photo


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_is_the_generator(name: str) -> None:
    generator, semantics = model(name)
    before = copy.deepcopy(generator.state_dict())
    graph = Graph(generator, semantics)
    multiple = generator.multiple
    for count, height, width in ((1, 2 * multiple, 2 * multiple), (2, 3 * multiple, 2 * multiple - 3)):
        inputs = sample(graph, count, height, width)
        photo = graph(*inputs)
        assert photo.shape == (count, 3, height, width) and photo.std() > 1e-3
        torch.testing.assert_close(photo, reference(graph, generator, inputs), rtol=0, atol=2e-5)
    after = generator.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_that_could_be_folded(name: str) -> None:
    generator, semantics = model(name)
    layers = list(Graph(generator, semantics).modules())
    assert not any(parametrize.is_parametrized(layer) for layer in layers)
    picture = getattr(generator, "statistics", None) == "picture"  # these are of each picture and no constants
    assert picture or not any(isinstance(layer, nn.BatchNorm2d) for layer in layers)


def test_the_style_of_any_size_of_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the size that the style is projected to, too, where the generator does not resize."""
    generator, semantics = model("spade-style")
    graph = Graph(generator, semantics)
    inputs = sample(graph, 1, 64, 96)
    torch.testing.assert_close(graph(*inputs), reference(graph, generator, inputs), rtol=0, atol=2e-5)


def test_a_value_that_is_no_class_is_none() -> None:
    one_hot = TracedMap(torch.tensor([[[0, 3], [-1, 1]]]), 3).dense()
    assert one_hot[0, :, 0, 0].tolist() == [1, 0, 0] and one_hot[0, :, 1, 1].tolist() == [0, 1, 0]
    assert one_hot[0, :, 0, 1].sum() == one_hot[0, :, 1, 0].sum() == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_edges_and_padding_are_those_of_the_maps(count: int, height: int, width: int, seed: int) -> None:
    maps = torch.randint(0, 3, (count, height, width), generator=torch.Generator().manual_seed(seed))
    assert torch.equal(edges_of(maps), instance_edges(maps))
    assert torch.equal(padded_to(maps, 4), padded(maps, 4))


def test_conditions_are_those_of_the_house() -> None:
    labels = torch.randint(0, 3, (2, 8, 16))
    noise = {"class": torch.randn(2, 3, 4), "pixel": torch.randn(2, 4, 8, 16)}
    expected = SemanticMap(labels, 3, labels == 1)
    traced = TracedMap(labels, 3, labels == 1)
    found = class_regions(expected)
    of_class = RegionNoiseMap(expected, found.regions, noise["class"][found.image, found.place])
    for size in ((8, 16), (4, 8), (2, 2)):
        assert torch.equal(traced.resized(*size).dense(), expected.resized(*size).dense())
        for kind, oracle in (("class", of_class), ("pixel", PixelNoiseMap(expected, noise["pixel"]))):
            assert torch.equal(TracedNoise(traced, noise[kind]).resized(*size).dense(), oracle.resized(*size).dense())


def test_the_generator_still_works_as_before() -> None:
    """Copies share classes with what they are copied from; taking a weight from a class would take it from both."""
    generator, semantics = model("spade")
    for _ in range(2):
        Graph(generator, semantics)
    Synthesizer(generator, semantics)(torch.zeros(1, 32, 64, dtype=torch.int64))


class Another(SPADEGenerator):
    """A subclass that may be another function."""


def test_what_cannot_be_a_graph_is_refused() -> None:
    with pytest.raises(InputError, match="a Another cannot be exported as a graph; --format safetensors can"):
        Graph(Another(4, width=1, hidden=2), LabelSemantics(4))
    generator, semantics = model("spade of images")
    with pytest.raises(InputError, match="a SPADEGenerator of images cannot be exported"):
        Graph(generator, semantics)


def test_the_signature_tells_the_sizes() -> None:
    graph = Graph(GlobalGenerator(5, 2, width=2, downsamplings=3, blocks=1), LabelSemantics(5))
    told = graph.signature.to_json()
    assert [(x["name"], x["shape"]) for x in told["inputs"]] == [
        ("labels", ["batch", "height", "width"]),
        ("features", ["batch", 2, "height", "width"]),
    ]
    assert (told["pads to multiples of"], told["least side"]) == (8, 9)


def test_the_norm_of_a_picture_is_the_textbooks() -> None:
    x = torch.randn(2, 4, 6, 9) * 2 + 3
    torch.testing.assert_close(PictureNorm(InstanceNorm2d(4))(x), torch.nn.functional.instance_norm(x))
    batch = nn.BatchNorm2d(4)
    nn.init.normal_(batch.weight)
    nn.init.normal_(batch.bias)
    alone = torch.cat([torch.nn.functional.batch_norm(p[None], None, None, batch.weight, batch.bias, True) for p in x])
    torch.testing.assert_close(PictureNorm(batch)(x), alone)
