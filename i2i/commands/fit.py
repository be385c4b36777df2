"""`i2i fit|validate|test -c CONFIG`: trains what the configuration describes, a translator or a foundation of it."""

from __future__ import annotations

from collections.abc import Sequence

from i2i.commands.configuration import configurations, of_samples
from i2i.commands.foundations import FoundationCLI
from i2i.commands.training import TrainingCLI, train
from i2i.data.datamodule import DataModule
from i2i.errors import InputError
from i2i.foundations.data import SampleData
from i2i.foundations.module import Foundation
from i2i.translator import Translator


def run(arguments: Sequence[str]) -> int:
    """Run one of the three commands on the given arguments, the command itself first."""
    if not {"-c", "--config", "-h", "--help"} & {argument.split("=")[0] for argument in arguments}:
        raise InputError(f"i2i {arguments[0]} needs a configuration: -c configs/scenes/spade.yaml, for example")
    if any(of_samples(content) for content in configurations(arguments)):
        train(FoundationCLI, Foundation, SampleData, arguments)
    else:
        train(TrainingCLI, Translator, DataModule, arguments)
    return 0
