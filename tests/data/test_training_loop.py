"""Under a real Trainer: each epoch has its own order and augmentation, and errors come out as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from i2i.data import CamVid, DataModule, ResizeAndCrop
from i2i.errors import InputError


class Recorder(pl.LightningModule):
    """Learns nothing and notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: dict[int, list[tuple[str, float]]] = {}

    def training_step(self, batch: dict[str, Any], index: int) -> torch.Tensor:
        photos = batch["photo"].flatten(1).double()
        found = [(name, float(photo @ torch.arange(len(photo)).double())) for name, photo in zip(batch["name"], photos)]  # noqa: B905
        self.seen.setdefault(self.current_epoch, []).extend(found)
        return self.weight * 0

    def validation_step(self, batch: dict[str, Any], index: int) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(folder: Path, workers: int) -> Recorder:
    data = DataModule(CamVid(str(folder)), ResizeAndCrop((8, 8), enlarge=4.0), batch_size=2, workers=workers)
    model = Recorder()
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    return model


@pytest.fixture
def folder(tmp_path: Path, write, ids) -> Path:
    for split in ("train", "val"):
        for number in range(5):
            write(f"{split}/{number}.png")
            write(f"{split}annot/{number}.png", ids(12, seed=number))
    return tmp_path


def test_epochs_differ_and_workers_do_not_matter(folder: Path) -> None:
    seen = trained(folder, workers=0).seen
    assert {epoch: len(found) for epoch, found in seen.items()} == {0: 4, 1: 4, 2: 4}
    orders = {tuple(name for name, _ in found) for found in seen.values()}
    sums = {total for found in seen.values() for _, total in found}
    assert len(orders) == 3 and len(sums) == 12
    assert trained(folder, workers=1).seen == seen


def test_a_spoilt_file_stops_training_with_one_line(folder: Path, write, ids) -> None:
    write("trainannot/2.png", ids(12) + 100)
    with pytest.raises(InputError, match=r"^[^\n]*2\.png: label 10[^\n]*$"):
        trained(folder, workers=1)
