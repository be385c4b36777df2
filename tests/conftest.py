"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

from i2i.checkpoint import save_model
from i2i.classes import ClassTable
from i2i.data.datamodule import DataModule
from i2i.data.folder import Folder
from i2i.data.transforms import Fixed
from i2i.judge import JudgeTrainer
from i2i.nn.encoder import StyleEncoder
from i2i.nn.segmentation import SegmentationNetwork
from i2i.nn.spade import SPADEGenerator

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes says something of the machine and nothing of the code.
settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, so that of several processes none waits for it in the end."""
    items.sort(key=lambda item: "test_quickstart.py" not in item.nodeid)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and parity fixtures, named by I2I_TEST_DATA; a test that needs it is skipped without."""
    folder = Path(os.environ.get("I2I_TEST_DATA", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"no real data at {folder}; set I2I_TEST_DATA to the folder that holds data/ and golden/")
    return folder


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A paired folder of six 64 x 64 photos that are their label maps in colour, with some noise; four classes."""
    folder = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    table = ClassTable(["sky", "tree", "road", "house"], [[90, 160, 250], [30, 120, 40], [90, 90, 95], [200, 60, 50]])
    for name in ("photos", "labels"):
        (folder / name).mkdir()
    for i in range(6):
        labels = np.kron(random.integers(0, 4, (4, 4)), np.ones((16, 16))).astype(np.uint8)
        photo = table.colourise(labels).astype(int) + random.integers(-20, 20, (64, 64, 3))
        Image.fromarray(labels).save(folder / f"labels/view{i}.png")
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(folder / f"photos/view{i}.jpg")
    (folder / "classes.csv").write_text(table.to_csv())
    return folder


CLASSES = ClassTable(["sky", "tree", "road", "house"], [[90, 160, 250], [30, 120, 40], [90, 90, 95], [200, 60, 50]])


@pytest.fixture(scope="session")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs, of which nine validate: more than the five neighbours of precision and recall."""
    folder = tmp_path_factory.mktemp("views")
    random = np.random.default_rng(1)
    for name in ("photos", "labels"):
        (folder / name).mkdir()
    for i in range(12):
        labels = np.kron(random.integers(0, 4, (4, 4)), np.ones((16, 16))).astype(np.uint8)
        photo = CLASSES.colourise(labels).astype(int) + random.integers(-20, 20, (64, 64, 3))
        Image.fromarray(labels).save(folder / f"labels/view{i}.png")
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(folder / f"photos/view{i}.png")
    (folder / "classes.csv").write_text(CLASSES.to_csv())
    return folder


@pytest.fixture(scope="session")
def data(views: Path) -> DataModule:
    """At a size that the generator does not take without padding."""
    return DataModule(Folder(str(views), val_share=0.75), Fixed((40, 56)), batch_size=3, val_batch_size=2, workers=0)


@pytest.fixture(scope="session")
def model(data: DataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained SPADE with style encoder."""
    torch.manual_seed(1)
    generator = SPADEGenerator(data.label_channels, style_dim=4, width=1, hidden=4, base_size=(2, 2), gain=1.0)
    encoder = StyleEncoder(style_dim=4, width=2, size=16, gain=1.0)
    path = tmp_path_factory.mktemp("model") / "run/checkpoints/model.ckpt"
    save_model(path, generator, data.semantics, encoder, encoding=data.encoding, resize=data.resize)
    return path


@pytest.fixture(scope="session")
def judge(data: DataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained judge that leaves houses out."""
    torch.manual_seed(2)
    assert data.encoding is not None
    path = tmp_path_factory.mktemp("judge") / "judge.ckpt"
    JudgeTrainer(SegmentationNetwork(4, width=2), data.encoding, ignored=["house"]).save(path)
    return path
