"""Any family of models behind the service: several pictures at once are those of the synthesizer, one by one."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from i2i.classes import ClassTable, LabelEncoding
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.style import Encoder
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics
from i2i.service.app import create_app
from i2i.service.gallery import maps, moods
from i2i.service.model import Model, Order
from i2i.synthesizer import Synthesizer

CHANNELS = 5  # four classes and edges


def generators() -> dict[str, Generator]:
    torch.manual_seed(0)
    return {
        "spade": SPADEGenerator(CHANNELS, None, width=2, hidden=4, base_size=(2, 2), gain=1.0),
        "spade with style": SPADEGenerator(CHANNELS, 6, width=2, hidden=4, base_size=(2, 2), gain=1.0),
        "oasis": OASISGenerator(CHANNELS, noise_channels=3, noise="image", width=2, hidden=4, gain=1.0),
        "oasis by class": OASISGenerator(CHANNELS, noise_channels=3, noise="class", width=2, hidden=4, gain=1.0),
        "oasis by instance": OASISGenerator(CHANNELS, noise_channels=3, noise="instance", width=2, hidden=4, gain=1.0),
        "oasis by pixel": OASISGenerator(CHANNELS, noise_channels=3, noise="pixel", width=2, hidden=4, gain=1.0),
        "pix2pixhd": GlobalGenerator(CHANNELS, width=2, downsamplings=3, blocks=1, gain=0.5),
        "pix2pixhd with features": GlobalGenerator(
            CHANNELS, feature_channels=2, width=2, downsamplings=3, blocks=1, gain=0.5
        ),
        "sean": SEANGenerator(CHANNELS, 4, region_channels=3, width=2, hidden=4, gain=1.0),
        "pix2pix": UNetGenerator(CHANNELS, width=2, depth=4, gain=0.5),
    }


def synthesizer_of(name: str) -> Synthesizer:
    """With the encoder that some need to draw a style."""
    encoder: Encoder | None = None
    if name == "pix2pixhd with features":
        encoder = InstanceEncoder(2, width=2, downsamplings=1)
        encoder.set_clusters(2 * torch.rand(8, 2) - 1, torch.arange(8) % 4, torch.ones(8))
    if name == "sean":
        encoder = RegionEncoder(4, region_channels=3, width=2)
    return Synthesizer(generators()[name], LabelSemantics(4, edges=True), encoder)


STYLES = {"spade": "none", "spade with style": "vector", "oasis": "vector", "pix2pixhd": "none"}


def blocks(seed: int) -> np.ndarray:
    return np.kron(np.random.default_rng(seed).integers(0, 4, (5, 6)), np.ones((8, 8))).astype(np.uint8)


@pytest.mark.parametrize("name", generators())
def test_pictures_made_together_are_those_made_alone(name: str) -> None:
    synthesizer = synthesizer_of(name)
    model = Model(synthesizer, (40, 48))
    assert model.style == STYLES.get(name, "seed") and not model.takes_photos
    orders = [Order(blocks(i), seed=i) for i in range(3)]
    assert len({order.key for order in orders}) == 1
    for order, pictures in zip(orders, model.pictures(orders), strict=True):
        expected = synthesizer(order.labels, seed=order.seed)
        assert pictures.shape == expected.shape == (1, 40, 48, 3)
        assert np.abs(pictures.astype(int) - expected).max() <= 1 and expected.std() > 1
    if model.style == "vector":
        z = model.drawn([4])[0]
        assert np.array_equal(synthesizer(blocks(0), style=z), synthesizer(blocks(0), seed=4))


@pytest.mark.parametrize("name", generators())
def test_a_map_of_any_size_is_synthesised_or_refused_with_a_reason(name: str) -> None:
    app = create_app(Model(synthesizer_of(name), (32, 32)))
    with TestClient(app, "http://localhost") as client:
        for size in [(1, 1), (33, 9)]:
            file = io.BytesIO()
            Image.fromarray(np.zeros(size, np.uint8)).save(file, format="PNG")
            answer = client.post("/api/synthesize", content=file.getvalue(), headers={"content-type": "image/png"})
            if answer.status_code == 200:
                assert Image.open(io.BytesIO(answer.content)).size == size[::-1]
            else:
                assert answer.status_code == 422 and "at least" in answer.json()["reason"]


def test_sizes_and_numbers_of_pictures_keep_orders_apart() -> None:
    keys = [Order(blocks(0)).key, Order(blocks(0)[1:]).key, Order(blocks(0), blocks(0).astype(np.int32)).key]
    assert len(set(keys)) == 3 and Order(blocks(0), count=2).key is None


def test_a_model_that_translates_images_is_refused() -> None:
    synthesizer = Synthesizer(UNetGenerator(3, width=2, depth=4), ImageSemantics(3))
    with pytest.raises(InputError, match="translates images, and has no label map to paint"):
        Model(synthesizer)


def test_a_model_without_a_training_size_is_painted_at_a_usual_one() -> None:
    synthesizer = Synthesizer(generators()["spade"], LabelSemantics(4, edges=True))
    model = Model(synthesizer)
    assert model.size == (256, 256)
    assert maps(model, None)[0].shape == (256, 256) and moods(model, None) == []


def test_the_embedded_scenes_come_with_maps_and_photos_in_every_light() -> None:
    table = ClassTable.load("scenes")
    generator = SPADEGenerator(len(table), 6, width=1, hidden=4, base_size=(2, 2), gain=1.0)
    encoder = StyleEncoder(6, width=2, size=16, gain=1.0)
    synthesizer = Synthesizer(generator, LabelSemantics(len(table)), encoder, LabelEncoding(table))
    model = Model(synthesizer, (64, 64))
    found = maps(model, None)
    assert len(found) == 8 and all(labels.shape == (64, 64) for labels in found)
    gallery = moods(model, None)
    assert [mood.name for mood in gallery] == ["day", "dusk", "night", "autumn", "snow", "mist"]
    assert all(len(mood.latent) == 6 and mood.thumbnail[:3] == b"\xff\xd8\xff" for mood in gallery)
