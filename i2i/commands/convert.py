"""`i2i convert FOLDER OUT`: checkpoints of the original code to one self-describing model file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2i.commands.arguments import Parser
from i2i.convert import convert


def run(arguments: Sequence[str]) -> int:
    """Convert and say what to do with the file."""
    parser = Parser("i2i convert", description="latest_net_{G,D,E}.pth with options.json or opt.txt to a model.")
    parser.add_argument("folder", type=Path, help="checkpoint folder of the original code")
    parser.add_argument("out", type=Path, help="the model file to write, for example model.ckpt")
    options = parser.parse_args(arguments[1:])
    convert(options.folder, options.out)
    print(f"wrote {options.out}; next: i2i synthesize {options.out} LABELS OUT")
    return 0
