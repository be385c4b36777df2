"""Inference from one file, in Python and by the command."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.checkpoint import save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.cli import main
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.oasis import OASISGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer

CLASSES = 4


def write_model(path: Path, style: bool, edges: bool = False) -> Path:
    torch.manual_seed(3)
    channels = CLASSES + edges
    generator = SPADEGenerator(channels, 6 if style else None, width=2, hidden=8, base_size=(2, 2), gain=1.0)
    save_model(
        path,
        generator.eval(),
        LabelSemantics(CLASSES, edges),
        encoder=StyleEncoder(6, width=4, size=16, gain=1.0) if style else None,
        encoding=LabelEncoding(ClassTable.numbered(CLASSES)),
        resize=Fixed((64, 64)),
    )
    return path


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.load(write_model(tmp_path_factory.mktemp("model") / "styled.ckpt", style=True))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.load(write_model(tmp_path_factory.mktemp("model") / "plain.ckpt", style=False))


def maps(count: int = 2, height: int = 64, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, CLASSES, (count, height, width)).astype(np.uint8)


def test_photos_have_the_size_of_the_maps(styled: Synthesizer, plain: Synthesizer) -> None:
    for synthesizer, count in ((styled, 3), (plain, 1)):
        photos = synthesizer(maps(2, 64, 96), seed=0, count=count)
        assert photos.shape == (2 * count, 64, 96, 3) and photos.dtype == np.uint8
        assert synthesizer(maps(1)[0], seed=0).shape == (1, 64, 64, 3)


def test_sizes_that_are_no_multiple_are_padded_and_cropped_back(plain: Synthesizer) -> None:
    labels = maps(1, 70, 100)
    padded = np.pad(labels, ((0, 0), (0, 96 - 70), (0, 128 - 100)), mode="edge")
    assert np.array_equal(plain(labels), plain(padded)[:, :70, :100])


def test_the_picture_is_the_networks_own(plain: Synthesizer) -> None:
    labels = torch.from_numpy(maps(1).astype(np.int64))
    one_hot = torch.nn.functional.one_hot(labels, CLASSES).permute(0, 3, 1, 2).float()
    assert torch.equal(one_hot, plain.semantics(labels).dense())
    value = plain.generator(plain.semantics(labels))
    expected = ((value[0].permute(1, 2, 0).numpy() + 1) / 2 * 255).round()
    assert np.abs(plain(labels)[0].astype(int) - expected).max() <= 1


def test_the_same_seed_gives_the_same_styles(styled: Synthesizer) -> None:
    labels = maps(1)
    assert np.array_equal(styled(labels, seed=5, count=2), styled(labels, seed=5, count=2))
    assert not np.array_equal(styled(labels, seed=5), styled(labels, seed=6))
    assert not np.array_equal(styled(labels), styled(labels))
    first, second = styled(labels, seed=5, count=2)
    assert not np.array_equal(first, second)


def test_a_style_photo_is_its_latent(styled: Synthesizer) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (80, 60, 3)).astype(np.uint8)
    latent = styled.latent(photo)
    assert latent.shape == (6,)
    by_photo = styled(maps(1), style=photo, seed=0, count=2)
    assert np.array_equal(by_photo[:1], styled(maps(1), style=latent))
    assert not np.array_equal(by_photo[0], by_photo[1])
    assert np.array_equal(styled(maps(2), style=latent), styled(maps(2), style=latent.expand(2, -1)))


def test_the_averaged_weights_are_taken_unless_told_otherwise(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.ckpt", style=False)
    content = torch.load(path, weights_only=True)
    averages = {name.replace("generator.", "average."): 2 * w for name, w in content["state_dict"].items()}
    torch.save(content | {"state_dict": content["state_dict"] | averages}, path)
    averaged, raw = Synthesizer.load(path), Synthesizer.load(path, ema=False)
    content = torch.load(path, weights_only=True)["state_dict"]
    assert torch.equal(averaged.generator.state_dict()["last.weight"], content["average.last.weight"])
    assert torch.equal(raw.generator.state_dict()["last.weight"], content["generator.last.weight"])


def test_labels_alone_are_enough_for_a_model_with_edges(tmp_path: Path) -> None:
    synthesizer = Synthesizer.load(write_model(tmp_path / "model.ckpt", style=False, edges=True))
    labels = maps(1)
    assert np.array_equal(synthesizer(labels), synthesizer(labels, instances=labels.astype(np.uint16)))
    assert not np.array_equal(synthesizer(labels), synthesizer(labels, instances=np.zeros_like(labels)))
    for kind in (torch.uint16, torch.uint32, torch.uint64):
        own = torch.from_numpy(labels).to(kind)
        assert np.array_equal(synthesizer(labels), synthesizer(own, instances=own))
    with pytest.raises(InputError, match="instances have shape"):
        synthesizer(labels, instances=labels[:, :32])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"labels": np.full((1, 64, 64), 9)},
            "label 9 at image 0, row 0, column 0 is out of range; allowed are 0 to 3",
        ),
        ({"labels": np.zeros((1, 64, 64), np.float32)}, "a map of ids has an integer type"),
        ({"labels": maps(1), "style": torch.zeros(5)}, r"the style has shape \(5,\); allowed are \(6,\)"),
        ({"labels": maps(1), "style": np.zeros((4, 4), np.uint8)}, "a style photo is"),
        ({"labels": maps(1), "count": 0}, "count is 0"),
    ],
)
def test_what_cannot_be_synthesised(styled: Synthesizer, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        styled(**arguments)


def test_a_model_without_style_takes_none(plain: Synthesizer) -> None:
    with pytest.raises(InputError, match="has no style; train one with an encoder"):
        plain(maps(1), style=np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="all pictures of a map would be the same"):
        plain(maps(1), count=2)


def test_networks_that_are_given_stay_as_they_are() -> None:
    """So that pictures can be made in the middle of a training."""
    torch.manual_seed(0)
    generator = SPADEGenerator(CLASSES, 6, width=2, hidden=8, base_size=(2, 2), gain=1.0)
    unet, encoder = UNetGenerator(CLASSES, width=2, depth=4), StyleEncoder(6, width=4, size=16, gain=1.0)
    for network, style in ((generator, encoder), (unet, None)):
        before = copy.deepcopy(network.state_dict())
        synthesizer = Synthesizer(network, LabelSemantics(CLASSES), style)
        first = synthesizer(maps(1), seed=0)
        for part in [network, *([style] if style is not None else [])]:
            assert part.training and all(parameter.requires_grad for parameter in part.parameters())
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(2)
        assert np.array_equal(synthesizer(maps(1), seed=0), first)
        assert not np.array_equal(Synthesizer(network, LabelSemantics(CLASSES), style)(maps(1), seed=0), first)


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "maps").mkdir()
    for name, labels in zip("ab", maps(2, 64, 64), strict=True):
        Image.fromarray(labels).save(tmp_path / f"maps/{name}.png")
    write_model(tmp_path / "model.ckpt", style=True)
    return tmp_path


def test_the_command_writes_pictures_by_the_maps_names(folder: Path) -> None:
    assert (
        main(["synthesize", str(folder / "model.ckpt"), str(folder / "maps"), str(folder / "out"), "--seed", "4"]) == 0
    )
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a.png", "b.png"]
    synthesizer = Synthesizer.load(folder / "model.ckpt")
    labels, _ = synthesizer.read(folder / "maps/a.png")
    assert np.array_equal(np.asarray(Image.open(folder / "out/a.png")), synthesizer(labels, seed=4)[0])


def test_the_command_takes_style_and_count(folder: Path) -> None:
    Image.fromarray(np.full((50, 70, 3), 90, np.uint8)).save(folder / "style.jpg")
    arguments = ["synthesize", str(folder / "model.ckpt"), str(folder / "maps/a.png"), str(folder / "out")]
    assert main([*arguments, "--style", str(folder / "style.jpg"), "--count", "2"]) == 0
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a_0.png", "a_1.png"]


def test_the_command_keeps_the_maps_own_size_and_a_memory(folder: Path) -> None:
    labels = maps(1, 96, 160)[0]
    Image.fromarray(labels).save(folder / "large.png")
    arguments = ["synthesize", str(folder / "model.ckpt"), str(folder / "large.png"), str(folder / "out"), "--own-size"]
    assert main([*arguments, "--memory", "1", "--dtype", "bfloat16", "--device", "cpu"]) == 0
    expected = Synthesizer.load(folder / "model.ckpt", dtype=torch.bfloat16)(labels, seed=0)[0]
    assert np.array_equal(np.asarray(Image.open(folder / "out/large.png")), expected)


def test_cityscapes_names_are_understood(folder: Path) -> None:
    city = folder / "gtFine/val/town"
    city.mkdir(parents=True)
    labels = Image.open(folder / "maps/a.png")
    for kind in ("labelIds", "instanceIds", "color"):
        labels.save(city / f"town_000000_000019_gtFine_{kind}.png")
    assert main(["synthesize", str(folder / "model.ckpt"), str(folder / "gtFine/val"), str(folder / "out")]) == 0
    assert [p.name for p in (folder / "out").iterdir()] == ["town_000000_000019.png"]


@pytest.mark.parametrize(
    ("labels", "out", "flags"),
    [
        ("maps", "maps", []),
        ("maps/a.png", "maps", []),
        ("maps", "photos", ["--style", "photos/a.png"]),
        ("maps", "maps/../ids", ["--instances", "ids"]),
        ("maps/a.png", "photos", ["--count", "2", "--region", "sky", "photos/a_1.png", "maps/b.png"]),
    ],
)
def test_no_file_that_is_read_is_overwritten(
    folder: Path,
    labels: str,
    out: str,
    flags: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    for copied in ("ids", "photos"):
        shutil.copytree("maps", copied)
    shutil.copy("photos/a.png", "photos/a_1.png")
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    assert main(["synthesize", "nowhere.ckpt", labels, out, *flags]) != 0  # known before the model is read
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "would take its place" in error and out in error
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before


def test_a_bad_map_among_many_is_known_before_the_first_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.full((64, 64), 77, np.uint8)).save(folder / "maps/z.png")
    assert main(["synthesize", str(folder / "model.ckpt"), str(folder / "maps"), str(folder / "out")]) != 0
    assert "z.png: label 77 is out of range" in capsys.readouterr().err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "nowhere.ckpt"}, "nowhere.ckpt: no such file"),
        ({"model": "maps/a.png"}, "maps/a.png"),
        ({"labels": "nowhere"}, "nowhere: no such file or folder"),
        ({"labels": "empty"}, "no label maps"),
        ({"labels": "broken.png"}, "broken.png"),
        ({"labels": "far.png"}, "far.png: label 77 is out of range; allowed are 0 to 3"),
        ({"flags": "--device=cuda:99"}, "'cuda:99' cannot be used here"),
        ({"flags": "--count=0"}, "--count is 0"),
        ({"flags": f"--seed={10**22}"}, f"the seed is {10**22}; allowed are integers of 64 bits"),
        ({"flags": "--style=nowhere.jpg"}, "nowhere.jpg"),
        ({"flags": "--memory=0"}, "memory is 0.0; it is a number of GiB greater than 0"),
        ({"flags": "--memory=1e-6"}, "memory is 1e-06 GiB; a picture of 64x64 needs at least"),
        ({"flags": "--dtype=int8"}, "invalid choice: 'int8'"),
        ({"flags": "--instances=empty"}, "no instance map of this name"),
        ({"flags": "--nonsense"}, "--nonsense"),
    ],
)
def test_bad_input_to_the_command_is_one_line(
    folder: Path,
    change: dict[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    (folder / "broken.png").write_bytes((folder / "maps/a.png").read_bytes()[:60])
    Image.fromarray(np.full((64, 64), 77, np.uint8)).save("far.png")
    given = {"model": "model.ckpt", "labels": "maps", "flags": "--seed=1"} | change
    assert main(["synthesize", given["model"], given["labels"], "out", given["flags"]]) != 0
    error = capsys.readouterr().err
    assert error.startswith("i2i: error:") and error.count("\n") == 1 and message in error
    assert not (folder / "out").exists()


# --- noise by region -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "oasis.ckpt"
    torch.manual_seed(3)
    generator = OASISGenerator(CLASSES, 6, width=2, hidden=8, gain=1.0).eval()
    table = ClassTable(["sky", "tree", "road", "house"], [[i, i, i] for i in range(CLASSES)])
    save_model(path, generator, LabelSemantics(CLASSES), encoding=LabelEncoding(table), resize=Fixed((64, 64)))
    return path


def test_resampling_keeps_the_noise_elsewhere(noisy: Path) -> None:
    """Far beyond the receptive field of the resampled class every pixel stays."""
    synthesizer = Synthesizer.load(noisy)
    labels = np.zeros((1, 32, 384), dtype=np.uint8)
    labels[..., :8] = 2
    plain, others = synthesizer(labels, seed=4, count=3), synthesizer(labels, seed=4, count=3, resample=["road"])
    assert np.array_equal(plain[0], others[0])
    assert np.array_equal(others, synthesizer(labels, seed=4, count=3, resample=[2]))
    for j in (1, 2):
        assert np.array_equal(others[j][:, 240:], others[0][:, 240:])
        assert not np.array_equal(others[j][:, :8], others[0][:, :8])
        assert not np.array_equal(plain[j][:, 240:], plain[0][:, 240:])
    assert not np.array_equal(others[1], others[2])
    vector = torch.zeros(6)
    of_vector = synthesizer(labels, style=vector, seed=4, count=2, resample=["road"])
    assert np.array_equal(of_vector[0], synthesizer(labels, style=vector)[0])
    assert not np.array_equal(of_vector[0], of_vector[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 2, "resample": ["sea"]}, "'sea' is no class of this model.*sky, tree, road, house"),
        ({"count": 2, "resample": [4]}, "4 is no class of this model.*labels 0 to 3"),
        ({"resample": [1]}, "count of at least 2"),
    ],
)
def test_what_cannot_be_resampled(noisy: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Synthesizer.load(noisy)(maps(1), seed=0, **arguments)


def test_models_without_noise_by_region_cannot_resample(styled: Synthesizer, plain: Synthesizer) -> None:
    for synthesizer, message in ((styled, "no noise by region"), (plain, "this model has none")):
        with pytest.raises(InputError, match=message):
            synthesizer(maps(1), seed=0, count=2, resample=[1])


def test_resampling_by_the_command(noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(maps(1)[0]).save(tmp_path / "map.png")
    arguments = ["synthesize", str(noisy), str(tmp_path / "map.png"), str(tmp_path / "out"), "--device", "cpu"]
    assert main([*arguments, "--count", "2", "--resample", "sky", "2"]) == 0
    pictures = [np.asarray(Image.open(tmp_path / f"out/map_{j}.png")) for j in range(2)]
    expected = Synthesizer.load(noisy)(maps(1), seed=0, count=2, resample=[0, 2])
    assert np.array_equal(np.stack(pictures), expected)
    assert main([*arguments, "--count", "2", "--resample", "sea"]) == 1
    assert "'sea' is no class" in capsys.readouterr().err
