"""Models on the Hub: pushed, pulled and loaded by name, against a hub on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from i2i.cli import main
from i2i.errors import InputError
from i2i.hub import is_repository
from i2i.synthesizer import Synthesizer
from tests.fake_hub import COMMIT, FakeHub, fake_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.chdir(tmp_path)
    with fake_hub(monkeypatch, str(tmp_path / "cache")) as running:
        yield running


@pytest.fixture(scope="module")
def folder(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "spade"
    assert main(["export", str(model), str(out)]) == 0
    return out


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("i2i: error:")]
    assert len(lines) == 1 and "Traceback" not in error, error
    return lines[0]


def test_what_is_pushed_comes_back(hub: FakeHub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.repositories["me/spade"] = {"model.onnx": b"of an older model", "notes.txt": b"kept"}
    assert main(["push", str(folder), "me/spade", "--message", "The first"]) == 0
    assert f"{hub.address}/me/spade" in capsys.readouterr().out and hub.messages == ["The first"]
    there = hub.repositories["me/spade"]
    assert there == {path.name: path.read_bytes() for path in folder.iterdir()} | {"notes.txt": b"kept"}

    assert main(["pull", "me/spade", "out"]) == 0
    assert {p.name: p.read_bytes() for p in Path("out").iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}
    assert not any(path.is_symlink() for path in Path("out").iterdir())
    assert main(["pull", "me/spade", "out"]) == 1
    assert "out exists; name another folder, or replace the model in it with --overwrite" in error_of(capsys)
    assert main(["pull", f"me/spade@{COMMIT}", "out", "--overwrite"]) == 0


def test_a_model_is_loaded_by_its_name(hub: FakeHub, folder: Path) -> None:
    hub.repositories["me/spade"] = {path.name: path.read_bytes() for path in folder.iterdir()}
    labels = np.random.default_rng(0).integers(0, 4, (1, 40, 56))
    expected = Synthesizer.load(folder)(labels, seed=1)
    assert np.array_equal(Synthesizer.load("me/spade")(labels, seed=1), expected)
    assert not any("README" in request for request in hub.requests)  # only what is needed
    loads = [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]
    hub.refuse = 503  # once it is in the cache, the Hub may be away
    assert np.array_equal(Synthesizer.load("me/spade")(labels, seed=1), expected)
    hub.refuse = None
    assert np.array_equal(Synthesizer.load(f"me/spade@{COMMIT}")(labels, seed=1), expected)
    assert loads == [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]


def test_a_folder_here_comes_first(hub: FakeHub, folder: Path) -> None:
    Path("me").mkdir()
    Path("me/spade").symlink_to(folder)
    Synthesizer.load("me/spade")
    assert hub.requests == []


def test_a_private_repository(hub: FakeHub, folder: Path) -> None:
    assert main(["push", str(folder), "me/secret", "--private"]) == 0
    assert hub.private == {"me/secret"}


@pytest.mark.parametrize(
    ("arguments", "refuse", "message"),
    [
        (["pull", "me/nothing", "out"], None, "me/nothing: no such repository on the Hugging Face Hub"),
        (["pull", "me/broken@v9", "out"], None, "me/broken@v9: the repository has no such revision"),
        (["pull", "me/broken", "out"], None, "me/broken: no config.json in it"),
        (["pull", "me/broken", "out"], 500, "me/broken: the Hugging Face Hub answers 500"),
        (["pull", "me/broken", "out"], 401, "log in with hf auth login"),
        (
            ["pull", "nothing", "out"],
            None,
            "'nothing' is no repository of the Hugging Face Hub; its name is owner/name",
        ),
        (["push", "FOLDER", "me/spade"], 403, "does not let this account do that; log in with hf auth login"),
        (["push", "FOLDER", "me/spade@v1"], None, "me/spade@v1: a model is pushed to a repository, owner/name"),
        (["push", "FOLDER", "me/sp..ade"], None, "me/sp..ade: no name of a repository"),
        (["push", ".", "me/spade"], None, ".: no config.json in it"),
        (["push", "nowhere", "me/spade"], None, "nowhere: no such folder; what is pushed is a folder that i2i export"),
        (["push", "map.png", "me/spade"], None, "map.png: a file; what is pushed is a folder that i2i export"),
        (["pull", "me/broken", "map.png/x"], 500, "map.png/x: cannot be written: map.png is no folder"),
        (["synthesize", "me/nothing", "map.png", "out"], None, "me/nothing: no such repository"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str],
    refuse: int | None,
    message: str,
    hub: FakeHub,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the attempts of huggingface_hub
    hub.repositories["me/broken"] = {"README.md": b"A model of another kind"}
    hub.refuse = refuse
    Path("map.png").touch()
    assert main([str(folder) if argument == "FOLDER" else argument for argument in arguments]) == 1
    assert message in error_of(capsys)
    assert not Path("out").exists()


def test_offline(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    for name in ("HF_HUB_OFFLINE", "ENDPOINT"):
        with monkeypatch.context() as patch:
            patch.setattr(huggingface_hub.constants, name, True if name == "HF_HUB_OFFLINE" else "http://127.0.0.1:9")
            with pytest.raises(InputError, match=r"me/spade: not in the Hub's cache, and .* cannot be reached"):
                Synthesizer.load("me/spade")


def test_without_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"me/spade: no such file or folder; .* pip install 'i2i\[hub\]'"):
        Synthesizer.load("me/spade")


def test_names_of_files_are_not_looked_for_on_the_hub() -> None:
    for name in ("runs/last.ckpt", "a/b/c", "/a/b", "./a", "../a", "model", "a/b.safetensors", "~/a", "a b/c"):
        assert not is_repository(name), name
    for name in ("nvidia/spade-ade20k", "me/model.v1_2", "me/model@main", "me/model@refs/pr/1"):
        assert is_repository(name), name
