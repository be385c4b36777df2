"""Training with recalculated statistics: what is saved has them, and the training does not notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml

from i2i.callbacks.statistics import RecalculateStatistics
from i2i.checkpoint import load_file, restore
from i2i.cli import main
from i2i.data.datamodule import DataModule
from i2i.data.folder import Folder
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.nn.statistics import recalculate_statistics

CONF = Path(__file__).resolve().parent.parent / "conf/oasis.yaml"


def fit(pairs: Path, run: Path, *flags: str, callbacks: bool = True) -> int:
    config = yaml.safe_load(CONF.read_text())
    if not callbacks:
        del config["trainer"]["callbacks"]
    run.mkdir(parents=True, exist_ok=True)
    (run / "given.yaml").write_text(yaml.safe_dump(config))
    return main(["fit", "-c", str(run / "given.yaml"), "--data.source.root", str(pairs), "--run", str(run), *flags])


def saved(run: Path) -> dict[str, Any]:
    return load_file(run / "checkpoints/last.ckpt")


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("validation", [True, False])
def test_the_training_does_not_notice_and_the_average_is_saved_with_its_own(
    pairs: Path, tmp_path: Path, workers: str, validation: bool
) -> None:
    flags = ["--data.workers", workers] + ([] if validation else ["--trainer.limit_val_batches", "0"])
    assert fit(pairs, tmp_path / "with", *flags) == 0
    assert fit(pairs, tmp_path / "without", *flags, callbacks=False) == 0
    ours, theirs = saved(tmp_path / "with")["state_dict"], saved(tmp_path / "without")["state_dict"]
    changed = {name for name in ours if not torch.equal(ours[name], theirs[name])}
    statistics = {name for name in ours if name.startswith("average.") and "normalise" in name}
    assert changed == {name for name in statistics if not name.endswith("num_batches_tracked")} | {
        name for name in changed if name.endswith("num_batches_tracked")
    }
    assert changed <= statistics and any(name.endswith("running_mean") for name in changed)


def test_the_statistics_are_those_of_the_first_training_batches(pairs: Path, tmp_path: Path) -> None:
    """A second computation from the file: the same maps, the same noise."""
    assert fit(pairs, tmp_path / "run") == 0
    contents = saved(tmp_path / "run")
    average, semantics = restore(contents, "generator", "average"), restore(contents, "semantics")
    kept = {name: buffer.clone() for name, buffer in average.named_buffers() if "running" in name}
    data = DataModule(Folder(str(pairs)), Fixed((64, 64)), flip=0.5, batch_size=2, workers=0)
    torch.manual_seed(0)  # the loader takes its seed from torch's generator, and after it the noise is drawn
    loader = iter(data.train_dataloader())
    found = []
    for _ in range(2):
        maps = semantics.read(next(loader))
        found.append((maps, average.draw(maps)))
    recalculate_statistics(average, found)
    for name, buffer in average.named_buffers():
        if "running" in name:
            torch.testing.assert_close(buffer, kept[name], rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model.ema_decay", "0"], "needs an averaged generator"),
        (["--model.generator.norm", "instance"], "no batch norm"),
    ],
)
def test_nothing_to_recalculate_is_one_line(
    pairs: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(pairs, tmp_path / "run", *flags) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_no_batches() -> None:
    with pytest.raises(InputError, match="batches is 0"):
        RecalculateStatistics(0)


def test_loaders_cannot_be_read_anew() -> None:
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    with pytest.raises(InputError, match="give fit a DataModule"):
        RecalculateStatistics().setup(trainer, pl.LightningModule(), "fit")
