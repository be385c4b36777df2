"""Growing in a training: its schedule, its files at every size, and what is refused before it begins."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from i2i.callbacks.growth import Grow
from i2i.cli import main
from i2i.errors import InputError
from i2i.synthesizer import Synthesizer

CONF = Path(__file__).resolve().parent.parent / "conf/folder.yaml"
GROWING = CONF.parent.parent.parent / "configs/options/growing.yaml"


def fit(pairs: Path, run: Path, *flags: str) -> int:
    given = ["-c", str(CONF), "-c", str(GROWING), "--data.source.root", str(pairs), "--run", str(run)]
    return main(["fit", *given, *flags])


def test_the_schedule() -> None:
    """Two epochs at each size, then one in which the next is faded in, until all three doublings are done."""
    epochs = [0, 1.5, 2, 2.25, 2.5, 3, 4.9, 5.5, 6, 8.75, 9, 100]
    assert [Grow(2, 1).growth_at(epoch, 3) for epoch in epochs] == [0, 0, 0, 0.25, 0.5, 1, 1, 1.5, 2, 2.75, 3, 3]
    assert [Grow(2, 0).growth_at(epoch, 2) for epoch in (0, 1.99, 2, 3.99, 4, 5)] == [0, 0, 1, 1, 2, 2]


@given(hold=st.floats(0.01, 50), fade=st.floats(0, 50), epochs=st.lists(st.floats(0, 300), min_size=2))
def test_it_never_shrinks(hold: float, fade: float, epochs: list[float]) -> None:
    grown = [Grow(hold, fade).growth_at(epoch, 4) for epoch in sorted(epochs)]
    assert all(a <= b + 1e-9 for a, b in pairwise(grown)) and 0 <= min(grown) <= max(grown) <= 4


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs of two batches, whose growth is 0, 1/4, 1, 5/4, 2 and 2; patterns are found by a worker."""
    folder = tmp_path_factory.mktemp("runs") / "growing"
    schedule = ["--trainer.callbacks.hold=0.3333333333", "--trainer.callbacks.fade=0.6666666667"]
    more = ["--trainer.max_epochs=3", "--model.generator.hidden=32", "--data.workers=1", "--data.source.val_share=0.2"]
    assert fit(pairs, folder, *schedule, *more) == 0
    return folder


def growth_in(path: Path) -> dict[str, float]:
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: float(value) for name, value in state.items() if name.endswith("growth._extra_state")}


def test_checkpoints_of_every_size_make_pictures(run: Path, pairs: Path, tmp_path: Path) -> None:
    """Of the full size; the trained and the averaged generator have grown alike."""
    kept = [run / f"checkpoints/epoch_{epoch:04d}.ckpt" for epoch in range(3)]
    assert [set(growth_in(path)) for path in kept] == [
        {"generator.growth._extra_state", "average.growth._extra_state"}
    ] * 3
    for path, expected in zip(kept, (0.25, 1.25, 2), strict=True):
        assert list(growth_in(path).values()) == pytest.approx([expected] * 2, abs=1e-6)
        out = tmp_path / path.stem
        assert main(["synthesize", str(path), str(pairs / "labels"), str(out), "--seed", "1"]) == 0
        assert {Image.open(picture).size for picture in out.glob("*.png")} == {(64, 64)}
        canvas = Synthesizer.load(path).canvas()
        labels = np.zeros((64, 64), np.uint8)
        whole = Synthesizer.load(path)(labels, seed=3)[0].astype(int)
        assert np.abs(canvas.update(labels, seed=3).astype(int) - whole).max() <= 1
        pixels = Synthesizer.load(path)(labels, seed=3)[0]
        factor = {0.25: 2, 1.25: 1, 2: 1}[expected]  # of the size that is faded in
        assert (pixels[::factor, ::factor].repeat(factor, 0).repeat(factor, 1) == pixels).all()
    assert len(list((run / "previews").glob("*.png"))) == 3


def test_the_best_is_one_that_is_grown_out(run: Path) -> None:
    assert set(growth_in(run / "checkpoints/best.ckpt").values()) == {2.0}


def test_a_model_in_between_is_exported_as_weights_and_not_as_a_graph(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = run / "checkpoints/epoch_0000.ckpt"
    assert main(["export", str(small), str(tmp_path / "folder")]) == 0
    labels = np.zeros((64, 64), np.uint8)
    pictures = [Synthesizer.load(path)(labels, seed=3) for path in (small, tmp_path / "folder")]
    assert np.array_equal(*pictures)
    assert main(["export", str(small), str(tmp_path / "graph"), "--format", "torch-export"]) == 1
    assert "cannot be exported as a graph" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_is_predicted_for_the_full_size(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--data.source.root", str(pairs), "--card", "8GiB"]
    rows = []
    for configs in (["-c", str(CONF)], ["-c", str(CONF), "-c", str(GROWING)]):
        assert main(["memory", *configs, *flags, "--model.generator.width=8"]) == 0
        shown = capsys.readouterr().out.splitlines()
        rows.append([line.split()[1] for line in shown if line.startswith("32-true ")])
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--trainer.callbacks.hold=0"], "Grow: hold 0.0, fade 1.0; these are epochs"),
        (
            ["--trainer.max_epochs=4"],
            "are grown out after 4 epochs; trainer.max_epochs is 4, and at least 5 are needed",
        ),
        (["--model.generator=i2i.nn.spade.SPADEGenerator"], "Grow: a SPADEGenerator cannot grow; use"),
        (["--model.compile=true"], "Grow: networks that grow change their sizes; leave compile out"),
        (
            ["--model.generator.stages=5", "--model.discriminator.layers=3"],
            "photos begin as 2 x 2 after 5 stages: a picture of 1 x 1 is too small",
        ),
        (["--model.generator.stages=9"], "stages is 9; with 5 up-samplings allowed are 1 to 5"),
    ],
)
def test_what_cannot_grow_is_refused_in_one_line(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert fit(pairs, tmp_path / "run", "--trainer.max_epochs=60", *flags) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("i2i: error:")]
    assert message in line


def test_the_option_lies_over_every_spade() -> None:
    """What it does not name stays, and the generator takes all that SPADE's takes."""
    from i2i.nn.progressive_spade import ProgressiveSPADEGenerator

    option: dict[str, Any] = yaml.safe_load(GROWING.read_text())
    for path in sorted(GROWING.parent.parent.glob("*/spade.yaml")):
        given = yaml.safe_load(path.read_text())["model"]["generator"]["init_args"]
        ProgressiveSPADEGenerator(5, **given | {"width": 2, "hidden": 2} | option["model"]["generator"]["init_args"])


def test_a_discriminator_grows_with_its_generator() -> None:
    from i2i.foundations.connected import ConnectedDiscriminator
    from i2i.foundations.convolutional import DCGANDiscriminator
    from i2i.foundations.progressive import ProgressiveDiscriminator, ProgressiveGenerator

    shape = (3, 32, 32)

    class Parts(torch.nn.Module):
        generator = ProgressiveGenerator((3, 16, 16), width=1)

    for discriminator, message in (
        (
            ProgressiveDiscriminator(shape, width=1),
            "the generator has 2 stages, the discriminator 3; they grow together",
        ),
        (ConnectedDiscriminator(shape), "a ConnectedDiscriminator judges samples of one size"),
        (DCGANDiscriminator(shape, width=1), "a DCGANDiscriminator judges samples of one size"),
    ):
        parts = Parts()
        parts.discriminator = discriminator
        with pytest.raises(InputError, match=message):
            Grow(1, 1).setup(None, parts, "fit")  # type: ignore[arg-type]
