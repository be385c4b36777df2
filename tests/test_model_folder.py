"""A model as a folder: everything comes back, and what is damaged, missing or foreign is one clear line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file as load_safetensors

from i2i.cli import main
from i2i.errors import InputError
from i2i.model_folder import load_folder, load_model, model_hash
from i2i.nn.encoder import StyleEncoder
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.synthesizer import Synthesizer
from i2i.warm_start import warm_start


@pytest.fixture(scope="module")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "spade"
    assert main(["export", str(model), str(out)]) == 0
    return out


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "spade"))


def test_the_folder_does_what_the_file_does(model: Path, exported: Path) -> None:
    assert sorted(p.name for p in exported.iterdir()) == [
        "README.md",
        "classes.csv",
        "config.json",
        "model.safetensors",
    ]
    random = np.random.default_rng(0)
    labels, photo = random.integers(0, 4, (2, 50, 70)), random.integers(0, 256, (64, 48, 3)).astype(np.uint8)
    of_file, of_folder = Synthesizer.load(model), Synthesizer.load(exported)
    for style in (None, photo, of_file.latent(photo)):
        assert np.array_equal(of_folder(labels, style=style, seed=3), of_file(labels, style=style, seed=3))
    assert of_folder.encoding is not None and of_file.encoding is not None
    assert of_folder.encoding.classes.names == of_file.encoding.classes.names == ["sky", "tree", "road", "house"]
    assert of_folder.resize is not None and of_folder.resize.size == (40, 56)
    for part in ("config.json", "model.safetensors"):  # any of its files stands for it
        assert np.array_equal(Synthesizer.load(exported / part)(labels, seed=3), of_file(labels, seed=3))


def test_the_tensors_are_those_of_the_model_file(model: Path, exported: Path) -> None:
    expected = load_model(model)["state_dict"]
    found = load_safetensors(exported / "model.safetensors")
    assert found.keys() == expected.keys() and any(name.startswith("encoder.") for name in found)
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_training_starts_from_a_folder(exported: Path) -> None:
    generator = SPADEGenerator(4, style_dim=4, width=1, hidden=4, base_size=(2, 2))
    encoder = StyleEncoder(style_dim=4, width=2, size=16)
    said = warm_start(exported, generator, MultiscalePatchGAN(4, width=2), encoder)
    assert "generator: taken as a whole" in said and "encoder: taken as a whole" in said


def test_the_hash_is_that_of_the_weights(exported: Path) -> None:
    assert model_hash(exported) == model_hash(exported / "model.safetensors")
    assert (
        model_hash(exported)
        == json.loads((exported / "config.json").read_text())["files"]["model.safetensors"]["sha256"]
    )


def changed(**values: Any) -> Callable[[Path], object]:
    """Writes other values into ``config.json``."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))

    return change


def flipped(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-20] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def another_width(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model"]["generator"]["arguments"]["width"] = "wide"
    (folder / "config.json").write_text(json.dumps(config))


def replaced(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json in it; a model is a checkpoint, or a folder"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: no such file, though config.json names it"),
        (replaced("config.json", b'{"library_name": "i2i", "fo'), "config.json: damaged, or not JSON"),
        (replaced("config.json", b"\xff\xfe"), "config.json: damaged, or not JSON"),
        (replaced("config.json", b"[" * 100000), "config.json: damaged, or not JSON"),
        (replaced("config.json", b'{"model_type": "bert"}'), "config.json: of another kind, not of i2i export"),
        (replaced("config.json", b"[1, 2]"), "config.json: of another kind, not of i2i export"),
        (changed(format=2), "folder format 2; i2i .* reads 1"),
        (changed(model={"format": 7}), "description format 7; i2i .* reads 1"),
        (changed(model=3), "damaged, there is no description"),
        (changed(model={"format": 1}), "no generator in this file"),
        (
            changed(files={"model.onnx": {}}),
            "holds model.onnx and no model.safetensors; export .* --format safetensors",
        ),
        (changed(files={"model.safetensors": 5}), "model.safetensors: truncated or replaced"),
        (
            replaced("model.safetensors", b""),
            "model.safetensors: truncated or replaced, its size is not the one in config.json",
        ),
        (flipped, "model.safetensors: damaged or replaced, its SHA-256 is not the one in config.json"),
        (another_width, "cannot be built from its recipe"),
    ],
)
def test_what_is_damaged_is_one_line(damage: Callable[[Path], object], message: str, folder: Path) -> None:
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        Synthesizer.load(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_weights_that_are_no_safetensors(folder: Path) -> None:
    """Even where the description vouches for them: nothing is unpickled."""
    torch.save({"generator": 1}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    size, sha = (folder / "model.safetensors").stat().st_size, model_hash(folder)
    config["files"]["model.safetensors"] = {"bytes": size, "sha256": sha}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"model.safetensors: damaged, or not a file of safetensors"):
        load_folder(folder)


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.ckpt", tmp_path / "a/b"):
        with pytest.raises(InputError, match="no such file"):
            load_model(path)
