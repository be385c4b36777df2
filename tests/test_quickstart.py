"""The newcomer's way, whole: train on the embedded scenes, look at pictures, control the light by a photo."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=1700, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_quickstart_gives_pictures_whose_light_follows_the_style_photo(tmp_path: Path) -> None:
    folder = tmp_path / "quickstart"
    said = run(["bash", "scripts/quickstart.sh"], RUN=str(folder))
    model = folder / "checkpoints/last.ckpt"
    assert "comparison.png" in said and "styles.png" in said and str(model) in said and "i2i synthesize" in said
    for name in ("comparison.png", "styles.png"):
        picture = np.asarray(Image.open(folder / "pictures" / name))
        assert min(picture.shape[:2]) > 128 and picture.std() > 30

    measured = run([".venv/bin/python", "scripts/scenes_style_control.py", str(model), "--count", "200"])
    share = float(re.findall(r"share: ([\d.]+)%", measured)[0])
    assert share >= 80, measured

    written = model.stat().st_mtime_ns
    assert "Already trained" in run(["bash", "scripts/quickstart.sh"], RUN=str(folder))
    assert model.stat().st_mtime_ns == written
