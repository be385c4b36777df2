"""The model file: whole or not at all, no code, and a clear word on what cannot be used."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

import i2i
from i2i.checkpoint import describe, load_file, remove_leftovers, restore, save_model, write_atomically
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics


def parts() -> dict[str, Any]:
    return {
        "generator": SPADEGenerator(3, style_dim=2, width=2, hidden=2, base_size=(1, 2)),
        "semantics": LabelSemantics(2, edges=True),
        "encoder": StyleEncoder(2, width=2, size=16),
        "discriminator": MultiscalePatchGAN(3, width=2),
        "encoding": LabelEncoding(ClassTable(["a", "b"], [(0, 0, 0), (9, 9, 9)], [4, 7])),
        "resize": Fixed((32, 64)),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.ckpt", **parts())
    return tmp_path / "model.ckpt"


def test_all_parts_come_back(tmp_path: Path) -> None:
    saved = parts()
    save_model(tmp_path / "new" / "model.ckpt", **saved)
    contents = load_file(tmp_path / "new" / "model.ckpt")
    assert contents["i2i"]["version"] == i2i.__version__
    for name in ("generator", "encoder", "discriminator"):
        network = restore(contents, name)
        tensors = network.state_dict()
        assert set(tensors) == set(saved[name].state_dict())
        assert all(torch.equal(tensors[k], v) for k, v in saved[name].state_dict().items())
        assert all(p.requires_grad and not p.is_meta for p in network.parameters())
    assert restore(contents, "semantics").channels == 3
    assert restore(contents, "encoding").classes.ids == [4, 7]
    assert restore(contents, "resize").size == (32, 64)


def test_parts_that_are_not_there(tmp_path: Path) -> None:
    only = {name: part for name, part in parts().items() if name in ("generator", "semantics")}
    assert set(describe(**only)) == {"format", "version", "generator", "semantics"}
    save_model(tmp_path / "model.ckpt", **only)
    assert restore(load_file(tmp_path / "model.ckpt"), "encoder") is None


def test_weights_that_do_not_fit_are_named(path: Path) -> None:
    contents = load_file(path)
    del contents["state_dict"]["generator.last.bias"]
    contents["state_dict"]["encoder.mean.bias"] = torch.zeros(5)
    with pytest.raises(InputError, match=r"the generator in the file does not fit SPADEGenerator: missing last.bias"):
        restore(contents, "generator")
    with pytest.raises(InputError, match=r"the encoder in the file: size mismatch for mean.bias"):
        restore(contents, "encoder")
    with pytest.raises(InputError, match=r"the file has no weights average\.\* for its generator"):
        restore(contents, "generator", "average")


class Malice:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit('code of a checkpoint was run')",))


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"i2i": {"format": 1}, "state_dict": {}, "more": Malice()}, path)
    with pytest.raises(InputError, match=r"evil.ckpt: refused, it holds pickled code"):
        load_file(path)
    path.write_bytes(pickle.dumps(Malice(), protocol=2))
    with pytest.raises(InputError, match=r"evil.ckpt: refused, it holds pickled code"):
        load_file(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 2000, -1])
def test_truncated(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model.ckpt: .*(truncated|damaged)") as caught:
        load_file(path)
    assert "\n" not in str(caught.value)


def test_corrupt_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    start = content.index(b"data.pkl")
    content[start + 20 : start + 400] = bytes(380)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model.ckpt: .*damaged"):
        load_file(path)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"epoch": 3, "state_dict": {}}, r"another kind, not of i2i \(keys: epoch, state_dict\)"),
        ([1, 2], "a list; expected a dict"),
        ({"i2i": {"format": 2}, "state_dict": {}}, "file format 2; i2i .* reads 1"),
        ({"i2i": {"format": 1}}, "another kind"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, contents: Any, message: str) -> None:
    torch.save(contents, tmp_path / "other.pth")
    with pytest.raises(InputError, match=f"other.pth: .*{message}"):
        load_file(tmp_path / "other.pth")


@pytest.mark.parametrize(
    "content", [b"", b"no tensors here", b"\x89PNG\r\n\x1a\n" + bytes(64), b"PK\x03\x04" + bytes(64)]
)
def test_files_that_hold_no_tensors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.png").write_bytes(content)
    with pytest.raises(InputError, match=r"photo.png: "):
        load_file(tmp_path / "photo.png")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ckpt", tmp_path):
        with pytest.raises(InputError, match=f"{path.name}: no such file"):
            load_file(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half of the n")
        raise OSError("disk full")

    with pytest.raises(
        InputError, match=r"model\.ckpt: cannot be written: disk full; what was there before is untouched"
    ):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.ckpt"]
    reference = tmp_path / "reference"
    reference.write_bytes(b"")
    write_atomically(path, lambda file: torch.save({}, file))
    assert path.stat().st_mode == reference.stat().st_mode


def test_a_file_that_grows_too_large_is_told_and_the_old_one_stays(tmp_path: Path) -> None:
    """The limit of a process on the size of files, as there is one of a disk."""
    path = tmp_path / "model.ckpt"
    write_atomically(path, lambda file: torch.save({"a": 1}, file))
    program = f"""
import resource, signal, torch
from i2i.checkpoint import write_atomically
from i2i.errors import InputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for size in (200, 1_000_000):
    try:
        write_atomically({str(path)!r}, lambda file: torch.save(torch.zeros(size), file))
    except InputError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: cannot be written: File too large; what was there before is untouched\n"
    assert torch.equal(torch.load(path), torch.zeros(200)) and [p.name for p in tmp_path.iterdir()] == ["model.ckpt"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    program = f"""
import os, signal
from i2i.checkpoint import write_atomically
write_atomically({str(tmp_path / "model.ckpt")!r}, lambda file: os.kill(os.getpid(), signal.SIGKILL))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    (tmp_path / ".hidden").touch()
    (tmp_path / "last.ckpt").touch()
    assert len(list(tmp_path.iterdir())) == 3
    remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {".hidden", "last.ckpt"}
    remove_leftovers(tmp_path / "nowhere")
