"""`i2i train-judge OUT -c CONFIG`: a segmentation network for the data set's own classes, so that there is an mIoU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from i2i.callbacks.progress import progress
from i2i.commands.arguments import Parser
from i2i.commands.data import read_data
from i2i.commands.training import quieten
from i2i.data.check import check_cheap
from i2i.errors import InputError
from i2i.judge import JudgeTrainer
from i2i.nn.segmentation import SegmentationNetwork
from i2i.room import check_file


def run(arguments: Sequence[str]) -> int:
    """Train, measure on the validation photos, and say what to do with the file."""
    parser = _parser()
    options, overrides = parser.parse_known_args(arguments[1:])
    for name, least in (("epochs", 1), ("width", 2), ("seed", 0)):
        if getattr(options, name) < least:
            raise InputError(f"--{name} is {getattr(options, name)}; allowed are {least} and more")
    if not 0 < options.lr < 1:
        raise InputError(f"--lr is {options.lr}; allowed are learning rates above 0 and below 1")
    check_file(options.out)
    quieten()
    pl.seed_everything(options.seed, verbose=False)
    data = read_data(options.config, overrides)
    check_cheap(data.source)
    validation = data.source.split("val")
    if not len(validation) or validation.read(0).photo is None:
        raise InputError("the validation split has no photos; a judge is measured on real ones")
    if data.encoding is None:
        raise InputError("this data set has images, not label maps, as conditions; a judge learns to read label maps")
    network = SegmentationNetwork(len(data.encoding.classes), width=options.width)
    judge = JudgeTrainer(network, data.encoding, data.resize, options.ignore, options.out, options.lr)
    bar = progress()
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        accelerator=options.accelerator,
        devices=1,
        callbacks=[bar],
        enable_progress_bar=not bar.__class__.__module__.startswith("i2i"),
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(judge, datamodule=data)
    print(f"wrote {options.out}; on the real validation photos: {', '.join(str(result) for result in judge.results)}")
    parts = judge.results[0].parts
    width = max(map(len, parts))
    for name, value in parts.items():
        print(f"  {name:{width}} " + ("nowhere in these photos" if math.isnan(value) else f"{value:6.2f} %"))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "i2i train-judge",
        description="Train a small segmentation network on the real photos of a data set. Its mIoU on real photos is "
        "the ceiling for synthesised ones. Flags --data.… override the configuration.",
    )
    parser.add_argument("out", type=Path, help="the file to write, for example judges/camvid.ckpt")
    parser.add_argument("-c", "--config", action="append", required=True, help="a configuration of i2i fit; its data")
    parser.add_argument("--ignore", action="append", default=[], metavar="CLASS", help="a class that does not count")
    parser.add_argument("--epochs", type=int, default=60, help="over the training photos (default 60)")
    parser.add_argument("--width", type=int, default=32, help="channels of the first scale (default 32)")
    parser.add_argument("--lr", type=float, default=2e-3, help="the highest learning rate (default 0.002)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights")
    parser.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "gpu", "mps"))
    return parser
