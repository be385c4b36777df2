"""`i2i evaluate MODEL -c CONFIG`: synthesise a split, measure the pictures, write the figures with their protocol."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from rich.progress import track

import i2i
from i2i.checkpoint import write_atomically
from i2i.commands.arguments import Parser, split_flags
from i2i.commands.data import read_data
from i2i.data.datamodule import DataModule
from i2i.device import choose_device
from i2i.errors import InputError
from i2i.evaluation.choice import MEASURES
from i2i.evaluation.evaluation import Evaluation, Wish
from i2i.evaluation.painter import Painter
from i2i.evaluation.statistics import check_fits, recalculate_model
from i2i.evaluation.watch import artefact_warnings
from i2i.metrics.diversity import LPIPS
from i2i.metrics.extractors import Extractor
from i2i.metrics.judge import Judge
from i2i.metrics.result import Result, report_folder, write_results
from i2i.model_folder import model_hash
from i2i.report.report import write_report
from i2i.room import check_folder
from i2i.synthesizer import Synthesizer

_NETWORKS = ("--extractor", "--judge", "--lpips")


def run(arguments: Sequence[str]) -> int:
    """Measure, print a table, write the report's folder."""
    networks, others = split_flags(arguments[1:], _NETWORKS)
    overrides, own = split_flags(others, ("--data",))
    options = _parser().parse_args(own)
    wish = _wish(options, networks)
    data = read_data(options.config, overrides)
    out = report_folder(options.model) if options.out is None else options.out
    check_folder(out)
    synthesizer = _model(options, data)
    sha256 = model_hash(options.model)
    painter = Painter.of(synthesizer, options.style, options.seed)
    print(f"Measuring {options.model} on the split {options.split}. Writing to {out}", flush=True)
    evaluation = Evaluation(data, painter, wish, track=_track)
    for reason in dict.fromkeys(evaluation.left_out.values()):
        names = [name for name, own in evaluation.left_out.items() if own == reason]
        print(f"without {', '.join(names)}: {reason}", flush=True)
    results = evaluation.run()
    print(_table(results), flush=True)  # before anything is written that may fail
    about = {
        "model": str(options.model),
        "model sha256": sha256,
        "weights": "trained" if options.raw else "averaged, where the file has them",
        "batch statistics": f"recalculated on {options.recalculate} batches" if options.recalculate else "of the file",
        **evaluation.protocol,
        "photos": len(evaluation.names),
        "left out": evaluation.left_out,
        "i2i": i2i.__version__,
    }
    each = evaluation.each()
    write_results(out / "results.json", results, about)
    _write_table(out / "photos.csv", each)
    for line in artefact_warnings(results):
        print(line)
    page = write_report(out, options.model, evaluation, results, about, each)
    print(f"wrote {page}, and beside it results.json and photos.csv")
    return 0


def _model(options: Any, data: DataModule) -> Synthesizer:
    """The model, which must read its condition as the data set gives it."""
    parts = Synthesizer.parts(options.model, ema=not options.raw)
    check_fits(options.model, parts["semantics"], parts["encoding"], data)
    if options.recalculate is not None:
        three = (parts["generator"], parts["semantics"], parts["encoder"])
        recalculate_model(*three, data, options.recalculate, choose_device(options.device), options.seed)
    return Synthesizer(**parts, device=options.device)


def _wish(options: Any, networks: Sequence[str]) -> Wish:
    """What is to be measured, with its networks built from their flags."""
    for name, least in (("limit", 1), ("samples", 2), ("seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name} is {value}; allowed are {least} and more")
    parser = ArgumentParser(exit_on_error=False)
    for name, kind in (("extractor", Extractor), ("judge", Judge)):
        if any(flag.startswith(f"--{name}") for flag in networks):
            parser.add_argument(f"--{name}", type=kind, required=True, sub_configs=True)
    parser.add_class_arguments(LPIPS, "lpips")
    built = parser.instantiate(parser.parse_args(_judge_files(networks)), instantiate_groups=False)
    lpips: Callable[[], LPIPS] = partial(LPIPS, **dict(built.lpips))
    if built.lpips.weights is not None:  # a default may be missing, what is named may not
        network = lpips()
        lpips = lambda: network  # noqa: E731
    return Wish(
        metrics=options.metrics,
        split=options.split,
        limit=options.limit,
        reference=options.reference,
        extractor=built.get("extractor"),
        judge=built.get("judge"),
        lpips=lpips,
        ignored=options.ignore,
        samples=options.samples,
    )


def _judge_files(flags: Sequence[str]) -> list[str]:
    """``--judge FILE`` is short for the judge of that file of `i2i train-judge`."""
    flags = [part for flag in flags for part in (flag.split("=", 1) if flag.startswith("--judge=") else [flag])]
    for place, (flag, value) in enumerate(pairwise(flags)):
        if flag == "--judge" and (value.endswith(".ckpt") or _is_no_yaml(Path(value))):
            flags[place : place + 2] = ["--judge", "i2i.metrics.judges.TrainedJudge", "--judge.path", value]
            break
    return flags


def _is_no_yaml(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() not in (".yaml", ".yml")


def _track(steps: Iterable[Any], title: str, count: int) -> Iterable[Any]:
    return track(steps, title, total=count, disable=not sys.stdout.isatty())


def _table(results: Sequence[Result]) -> str:
    """One figure a line, with the direction that is good, and what the real photos reach."""
    arrows = {"lower": "↓", "higher": "↑", None: " "}
    measured = [r for r in results if not r.of_real_photos]
    ceilings = {r.name.removesuffix(" of the real photos"): r for r in results if r.of_real_photos}
    width = max(len(r.name) for r in measured)
    lines = []
    for r in measured:
        real = f"   (real photos: {ceilings[r.name].figure})" if r.name in ceilings else ""
        lines.append(f"  {r.name:{width}} {arrows[r.better]} {r.figure}{real}")
    return "\n".join(lines)


def _write_table(path: Path, rows: dict[str, dict[str, float]]) -> None:
    """The figures of each picture."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, ["photo", *columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"photo": name, **row} for name, row in rows.items())
    write_atomically(path, lambda file: file.write(os.fsencode(text.getvalue())))


def _parser() -> Parser:
    parser = Parser(
        "i2i evaluate",
        description="Measure a model on a split, in the size of the data set's configuration. Flags --data.… override "
        "it; --extractor, --judge and --lpips.net|weights say what to measure with: the name of a class with its "
        "arguments, or a YAML file.",
        epilog="Example: i2i evaluate runs/camvid/checkpoints/best.ckpt -c runs/camvid/config.yaml --judge judge.ckpt",
    )
    parser.add_argument("model", type=Path, help="a checkpoint, a converted or an exported model")
    parser.add_argument("-c", "--config", action="append", required=True, help="a configuration of i2i fit; its data")
    text = f"which of {', '.join(MEASURES)}; by default all whose weights are there"
    parser.add_argument("--metrics", nargs="+", choices=list(MEASURES), metavar="NAME", help=text)
    parser.add_argument("--extractor", metavar="CLASS|YAML", help="of features for FID (default: Inception)")
    parser.add_argument("--judge", metavar="FILE|CLASS|YAML", help="for mIoU: a file of i2i train-judge, or a class")
    parser.add_argument("--ignore", action="append", default=[], metavar="CLASS", help="a class that mIoU leaves out")
    parser.add_argument("--split", default="val", choices=("train", "val", "test"), help="default val")
    parser.add_argument("--reference", choices=("train", "val", "test"), help="of FID's real photos; else the same")
    parser.add_argument("--limit", type=int, help="only so many of the first maps")
    parser.add_argument("--samples", type=int, default=4, help="pictures a map for the diversity (default 4)")
    text = "styles drawn at random (default), or those of the real photos"
    parser.add_argument("--style", default="drawn", choices=("drawn", "photo"), help=text)
    parser.add_argument("--seed", type=int, default=0, help="of the styles that are drawn (default 0)")
    text = "batches of the training set from which the batch statistics are computed anew"
    parser.add_argument("--recalculate", type=int, metavar="N", help=text)
    parser.add_argument("--out", type=Path, help="folder of the report (default: report in the run's folder)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto (default)")
    parser.add_argument("--raw", action="store_true", help="the trained weights instead of their moving average")
    return parser
