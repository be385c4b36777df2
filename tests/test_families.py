"""The table of families against the shipped configurations, the published figures, and a count by hand."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.data.datamodule import DataModule
from i2i.families import FAMILIES, Family, made, multiply_accumulates, parameters
from i2i.nn.generator import Generator
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.recipe import recipe
from i2i.semantics import SemanticMap

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = [path for path in sorted((ROOT / "configs").glob("*/*.yaml")) if path.parent.name != "options"]


def configuration(*paths: str | Path) -> dict[str, Any]:
    """The files laid over one another, as the command line does it where no class changes."""
    merged: dict[str, Any] = {}

    def lay(over: dict[str, Any], under: dict[str, Any]) -> None:
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(under.get(key), dict):
                lay(value, under[key])
            else:
                under[key] = value

    for path in paths:
        lay(yaml.safe_load((ROOT / path).read_text()), merged)
    return merged


def build(described: dict[str, Any], **given: Any) -> Any:
    module, _, name = described["class_path"].rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    taken = {key: value for key, value in given.items() if key in inspect.signature(cls).parameters}
    with torch.device("meta"):
        return cls(**described.get("init_args", {}), **taken)


def same(ours: nn.Module | None, described: dict[str, Any] | None, **given: Any) -> None:
    assert (ours is None) == (described is None)
    if described is not None:
        assert recipe(ours) == recipe(build(described, **given))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_the_table_says_what_its_configurations_say(family: Family) -> None:
    config = configuration(*family.configs)
    model, given = config["model"], config["data"]
    data = DataModule(build(given["source"]), build(given["resize"]))
    assert (data.num_classes, data.semantics.channels) == (family.classes, family.classes + family.edges)
    assert data.resize.size == family.size
    channels = data.label_channels
    with torch.device("meta"):
        linked = {"label_channels": channels, "num_classes": data.num_classes}
        same(made(family.generator, channels, data.num_classes), model["generator"], **linked)
        same(family.discriminator(channels), model["discriminator"], **linked)
        encoder = None if family.encoder is None else made(family.encoder, channels, data.num_classes)
        same(encoder, model.get("encoder"), **linked)


def test_every_generator_with_a_configuration_is_in_the_table() -> None:
    known = {configuration(*family.configs)["model"]["generator"]["class_path"] for family in FAMILIES}
    models = [configuration(path).get("model", {}) for path in CONFIGS]
    shipped = {model["generator"]["class_path"] for model in models if "generator" in model}
    assert {name for name in shipped if not name.startswith("i2i.foundations.")} == known  # these make samples


def sizes(name: str, data: str) -> Any:
    (family,) = (f for f in FAMILIES if (f.name, f.data) == (name, data))
    return family.sizes()


def test_published_figures() -> None:
    """Given to a tenth of a million and to a whole GMAC."""
    ade, cityscapes = sizes("SPADE", "ADE20K"), sizes("SPADE, 6 up-samplings", "Cityscapes")
    styled = sizes("SPADE with style encoder", "ADE20K")
    assert ade.generator / 1e6 == pytest.approx(96.5, abs=0.05)
    assert cityscapes.generator / 1e6 == pytest.approx(93.0, abs=0.05)
    assert (styled.generator - ade.generator) / 1e6 == pytest.approx(15, abs=0.5)
    assert ade.discriminator / 1e6 == pytest.approx(5.8, abs=0.05)
    assert cityscapes.size == (256, 512)
    assert cityscapes.multiply_accumulates / 1e9 == pytest.approx(281, abs=0.5)
    assert sizes("pix2pixHD, global", "Cityscapes").generator / 1e6 == pytest.approx(182.5, abs=0.05)


def test_published_size_of_sean() -> None:
    """266.9 million parameters of generator and encoder for 19 classes, as later papers count them."""
    with torch.device("meta"):
        networks = SEANGenerator(19, 19), RegionEncoder(19)
    assert sum(map(parameters, networks)) / 1e6 == pytest.approx(266.9, abs=0.05)


def test_multiply_accumulates_of_spade_are_those_of_its_convolutions() -> None:
    """Counted where each one really runs; the meta device must agree."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        taken = layer.in_features if isinstance(layer, nn.Linear) else layer.weight[0].numel()
        counts.append(taken * output.numel())

    for style_dim in (None, 5):
        network = SPADEGenerator(4, style_dim, width=2, hidden=3, base_size=(2, 3))
        network.modulation = "dense"
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(count)
        counts.clear()
        labels = torch.randint(0, 4, (1, 64, 96))
        with torch.no_grad():
            network(SemanticMap(labels, 4), None if style_dim is None else torch.zeros(1, style_dim))
        with torch.device("meta"):
            empty = SPADEGenerator(4, style_dim, width=2, hidden=3, base_size=(2, 3))
        condition = SemanticMap(torch.zeros(1, 64, 96, dtype=torch.long), 4)
        assert multiply_accumulates(empty, condition) == sum(counts) > 0


def test_multiply_accumulates_by_hand() -> None:
    """Transposed and strided convolutions and a product with the style."""

    class Tiny(Generator):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(2, 5, 4, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1)
            self.style = nn.Linear(7, 5)

        def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
            return torch.randn(condition.batch, 7, generator=random).to(condition.device)

        def forward(self, condition: Condition, style: Tensor | None = None) -> Tensor:
            out: Tensor = self.up(self.down(condition.dense()) + self.style(style)[:, :, None, None])
            return out

    with torch.device("meta"):
        network = Tiny()
    condition = SemanticMap(torch.zeros(1, 8, 12, dtype=torch.long), 2)
    pixels = 4 * 6  # of the half-sized features
    assert multiply_accumulates(network, condition) == pixels * (16 * 2 * 5) + pixels * (16 * 5 * 3) + 7 * 5
    assert parameters(network) == (16 * 2 * 5 + 5) + (16 * 5 * 3 + 3) + (7 * 5 + 5)


def test_other_sizes_and_classes() -> None:
    family = FAMILIES[0]
    own, twice = family.sizes(), family.sizes((512, 256))
    assert twice.multiply_accumulates == 2 * own.multiply_accumulates  # nothing but convolutions
    fewer = family.sizes(classes=12)
    assert fewer.channels == 12 and fewer.generator < own.generator and fewer.discriminator < own.discriminator
    assert "multiples of 32" in str(family.sizes((100, 256)).multiply_accumulates)
