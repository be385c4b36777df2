"""`i2i tour [OUT]`: the road from the first GAN to SPADE, trained here and told on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2i.commands.arguments import Parser
from i2i.tour.road import ROAD
from i2i.tour.walk import walk


def run(arguments: Sequence[str]) -> int:
    """Train the stations that are not trained yet, and write the page."""
    options = _parser().parse_args(arguments[1:])
    walk(options.out, options.only, options.seed, options.device)
    return 0


def _parser() -> Parser:
    text = "From the first GAN to SPADE: trains every step of the road, and writes OUT/index.html to read it on."
    parser = Parser("i2i tour", description=text)
    add = parser.add_argument
    add("out", type=Path, nargs="?", default=Path("runs/tour"), help="folder of the page and the runs (runs/tour)")
    names = ", ".join(station.name for station in ROAD)
    add("--only", nargs="+", default=[], metavar="STATION", help=f"walk these stations alone: {names}")
    add("--seed", type=int, default=0, help="of all trainings (default 0)")
    add("--device", default="cpu", help="where to train: cpu (default), gpu, mps or auto")
    return parser
