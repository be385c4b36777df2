"""`i2i demo` through the real command line."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import numpy as np
import pytest
import uvicorn
from PIL import Image

from i2i.checkpoint import save_model
from i2i.cli import main
from i2i.commands.demo import QUICKSTART
from i2i.image_map import ImageSemantics
from i2i.nn.unet import UNetGenerator

ROOT = Path(__file__).resolve().parent.parent.parent


def test_after_the_quickstart_no_model_needs_to_be_named(model: Path, tmp_path: Path, pairs: Path) -> None:
    (tmp_path / QUICKSTART.parent).mkdir(parents=True)
    shutil.copy(model, tmp_path / QUICKSTART)
    assert str(QUICKSTART.parent.parent) in (ROOT / "scripts/quickstart.sh").read_text()  # it writes there
    flags = ["--port", "0", "--styles", str(pairs / "photos"), "--maps", str(pairs / "labels"), "--size", "32", "64"]
    command = [sys.executable, "-m", "i2i", "demo", *flags]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            said = server.stdout.readline()
            address = re.findall(r"http://127\.0\.0\.1:\d+/", said)[0]
            about = httpx2.get(f"{address}api/model").json()
            assert (about["name"], about["width"], about["height"], about["maps"]) == ("quickstart", 64, 32, 6)
            assert len(httpx2.get(f"{address}api/styles").json()["styles"]) == 6
            first = np.frombuffer(httpx2.get(f"{address}api/maps/0").content, np.uint8)
            whole = np.asarray(Image.open(pairs / "labels/view0.png"))
            assert np.array_equal(first.reshape(32, 64), np.asarray(Image.fromarray(whole).resize((64, 32), 0)))
            assert httpx2.get(f"{address}health", headers={"host": "evil.example"}).status_code == 403
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert server.stderr is not None and not server.stderr.read()


def test_the_address_is_there_when_it_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        host, port = sockets[0].getsockname()
        assert f"http://{host}:{port}/" in capsys.readouterr().out
        socket.create_connection((host, port)).close()

    monkeypatch.setattr(uvicorn.Server, "run", call)
    assert main(["demo", str(model), "--port", "0"]) == 0


def test_without_the_quickstart_the_way_to_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 1
    said = capsys.readouterr().err
    assert "bash scripts/quickstart.sh" in said and str(QUICKSTART) in said and "i2i demo MODEL" in said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nowhere.ckpt"], "nowhere.ckpt: no such file"),
        (["MODEL", "--port", "99999"], "--port is 99999"),
        (["MODEL", "--host", "203.0.113.7"], "cannot listen at 203.0.113.7"),
        (["MODEL", "--size", "0", "64"], "--size is 0 64"),
        (["MODEL", "--size", "4096", "4096"], "--size is 4096 4096; allowed are 1 to 2097152 pixels"),
        (["MODEL", "--queue", "0"], "the limit queue is 0"),
        (["MODEL", "--styles", "nowhere"], "nowhere: no such folder"),
        (["MODEL", "--maps", "EMPTY"], "no images"),
        (["MODEL", "--maps", "PHOTOS"], "compression changes ids"),
        (["MODEL", "--device", "quantum"], "device 'quantum'"),
        (["IMAGES"], "translates images, and has no label map to paint"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    model: Path, pairs: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if flags[0] == "IMAGES":
        save_model(tmp_path / "images.ckpt", UNetGenerator(3, width=2, depth=4), ImageSemantics(3))
    (tmp_path / "empty").mkdir()
    images = tmp_path / "images.ckpt"
    names = {"MODEL": model, "EMPTY": tmp_path / "empty", "PHOTOS": pairs / "photos", "IMAGES": images}
    port = [] if "--port" in flags else ["--port", "0"]
    assert main(["demo", *(str(names.get(flag, flag)) for flag in flags), *port]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and message in said, said


def test_without_the_extra_its_installation_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["demo", str(model)]) == 1
    assert "pip install 'i2i[demo]'" in capsys.readouterr().err
