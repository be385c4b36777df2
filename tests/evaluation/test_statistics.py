"""The model that trains well and tests badly, and its cure."""

from __future__ import annotations

import pytest
import torch

from i2i.data.datamodule import DataModule
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.evaluation.statistics import recalculate_model
from i2i.nn.spade import SPADEGenerator


@torch.no_grad()
def test_recalculated_statistics_make_evaluation_agree_with_training(data: DataModule) -> None:
    """At batch 1, where users of the predecessors meet it: the pictures of training are not those of evaluation."""
    generator = SPADEGenerator(data.label_channels, width=1, hidden=4, gain=1.0)
    small = DataModule(data.source, Fixed((256, 256)), flip=0.0, batch_size=1, workers=0)
    batch = next(iter(small.train_dataloader()))
    condition = data.semantics.read(batch)
    for _ in range(30):  # until the spectral norms stand still
        in_training = generator.train()(condition, None)
    for layer in generator.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()  # the statistics of no data at all
    before = (generator.eval()(condition, None) - in_training).abs().mean()
    assert recalculate_model(generator, data.semantics, None, small, 1, torch.device("cpu")) == 1
    after = (generator.eval()(condition, None) - in_training).abs().mean()
    assert before > 0.1 and after < 0.05 * before


def test_nothing_to_recalculate(data: DataModule) -> None:
    device = torch.device("cpu")
    plain = SPADEGenerator(data.label_channels, width=1, hidden=4, norm="instance")
    with pytest.raises(InputError, match="no batch norm"):
        recalculate_model(plain, data.semantics, None, data, 1, device)
    with pytest.raises(InputError, match="recalculate is 0"):
        recalculate_model(SPADEGenerator(data.label_channels, width=1, hidden=4), data.semantics, None, data, 0, device)
