"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.classes import ClassTable

ROOT = Path(__file__).resolve().parent.parent


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
