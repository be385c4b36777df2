"""`i2i convert`: from the original's checkpoint folder to pictures, by two commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2i.cli import main


def test_a_converted_model_synthesises_what_the_original_did(shared: Path, tmp_path: Path) -> None:
    fixture = shared / "golden/spade-cityscapes"
    stored = np.load(fixture / "io.npz")
    for folder, values in (("labels", stored["label"]), ("instances", stored["instance"])):
        (tmp_path / folder).mkdir()
        for i, picture in enumerate(values[:, 0]):
            Image.fromarray(picture.astype(np.uint16)).save(tmp_path / folder / f"{i}.png")
    model = tmp_path / "model.ckpt"
    assert main(["convert", str(fixture), str(model)]) == 0
    arguments = ["synthesize", str(model), str(tmp_path / "labels"), str(tmp_path / "out")]
    assert main([*arguments, "--instances", str(tmp_path / "instances")]) == 0
    for i, expected in enumerate(stored["fake_eval"]):
        picture = np.asarray(Image.open(tmp_path / f"out/{i}.png")).astype(int)
        assert np.abs(picture - (expected.transpose(1, 2, 0) + 1) * 127.5).max() <= 0.6


@pytest.mark.parametrize(
    ("folder", "message"), [("nowhere", "nowhere"), ("empty", "empty"), ("pickled", "latest_net_G.pth")]
)
def test_bad_folders_are_one_line(
    folder: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("pickled").mkdir()
    Path("pickled/options.json").write_text('{"netG": "spade", "label_nc": 35}')
    Path("pickled/latest_net_G.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert main(["convert", folder, "model.ckpt"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("i2i: error:") and error.count("\n") == 1 and message in error
    assert not Path("model.ckpt").exists()
