"""`i2i benchmark [generator|strokes|step|data|all]`: how many times faster than the reference, on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from i2i.benchmark import data, generator, step, strokes
from i2i.benchmark.maps import KINDS, MapSet, noise, painted_maps, read_maps
from i2i.benchmark.results import Measurement, machine, report
from i2i.benchmark.settings import Settings
from i2i.checkpoint import write_atomically
from i2i.commands.arguments import Parser
from i2i.commands.data import read_data
from i2i.data.datamodule import DataModule
from i2i.data.scenes import Scenes
from i2i.data.transforms import Fixed
from i2i.device import choose_device
from i2i.errors import InputError

_SIZES = {"cityscapes": (256, 512)}  # (H, W) as published; the others are squares of 256
_STEP_INPUTS = 2  # batches of the training step, which takes long
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def run(arguments: Sequence[str]) -> int:
    """Measure, print the tables, and write them as JSON where asked."""
    parser = _parser()
    options, overrides = parser.parse_known_args(arguments[1:])
    if overrides and not options.config:
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    _check(options)
    settings = Settings(
        choose_device(options.device),
        _DTYPES[options.dtype],
        width=options.width,
        repeats=options.repeats,
        seed=options.seed,
        compile=options.compile,
    )
    loaders = _loaders(options, overrides) if options.what in ("data", "all") else None
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in machine().items() if value is not None), style="dim")
    measurements: list[Measurement] = []
    with ExitStack() as stack:
        for measure in _measurements(options, settings, loaders, stack):
            told = [note for known in measurements for note in known.notes]
            measurements.append(measure)
            console.print(f"\n{measure.title()}", style="bold", highlight=False)
            for table in measure.tables():
                console.print(table)
            if measure.disturbed():
                names = ", ".join(measure.disturbed())
                console.print(f"Not to be trusted: the machine was busy with something else ({names}).", style="red")
            for note in measure.notes:
                if note not in told:
                    console.print(note, style="dim", highlight=False)
            if options.json is not None:  # after each table: a long run that is broken off leaves what it has
                _write(options.json, measurements)
    return 0


def _measurements(
    options: argparse.Namespace, settings: Settings, loaders: DataModule | None, stack: ExitStack
) -> Iterator[Measurement]:
    sets = _map_sets(options) if options.what in ("generator", "strokes", "step", "all") else []
    if options.what in ("generator", "all"):
        for maps in [one for given in sets for one in (given, noise(given, options.seed))]:
            with _progress(f"generator, {maps.name}", generator.runs(len(maps), settings)) as tick:
                yield generator.measure_generator(maps, settings, tick)
    if options.what in ("strokes", "all"):
        for maps in sets:
            with _progress(f"strokes, {maps.name}", strokes.runs(len(maps), settings)) as tick:
                yield strokes.measure_strokes(maps, settings, tick)
    if options.what in ("step", "all"):
        vgg = options.vgg or stack.enter_context(step.random_vgg(options.seed))
        for maps in (_first(maps, _STEP_INPUTS) for maps in sets):
            for weights in (None, vgg):
                name = f"step {'G+D' if weights is None else 'G+D+VGG'}, {maps.name}"
                with _progress(name, step.runs(len(maps), settings)) as tick:
                    measured = step.measure_step(maps, settings, weights, tick)
                if weights is not None and options.vgg is None:
                    measured.notes.append("VGG19 with random weights, as no --vgg was given; its time is the same")
                yield measured
    if loaders is not None:
        with _progress(f"data, {type(loaders.original).__name__}", data.runs(loaders, options.samples)) as tick:
            yield data.measure_data(loaders, options.samples, 5, tick)


def _map_sets(options: argparse.Namespace) -> list[MapSet]:
    if not options.maps:
        size = tuple(options.size or (256, 256))
        return [painted_maps((size[0], size[1]), options.batch, options.count, options.seed)]
    sets = []
    for i, (folder, kind) in enumerate(zip(options.maps, options.classes, strict=True)):
        height, width = options.size or _SIZES.get(kind, (256, 256))
        instances = options.instances[i] if options.instances else None
        sets.append(read_maps(folder, kind, (height, width), options.batch, options.count, instances))
    return sets


def _first(maps: MapSet, count: int) -> MapSet:
    instances = None if maps.instances is None else maps.instances[:count]
    return replace(maps, labels=maps.labels[:count], instances=instances)


def _loaders(options: argparse.Namespace, overrides: Sequence[str]) -> DataModule:
    if options.config:
        return read_data(options.config, overrides)
    height, width = options.size or (256, 256)
    source = Scenes((height, width), train=max(options.samples, options.batch))
    return DataModule(source, Fixed((height, width)), batch_size=options.batch, workers=2, seed=options.seed)


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, console=Console(stderr=True), refresh_per_second=2) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _write(path: Path, measurements: Sequence[Measurement]) -> None:
    text = json.dumps(report(measurements), indent=1) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def _check(options: argparse.Namespace) -> None:
    for name in ("width", "batch", "count", "repeats", "samples"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} is {getattr(options, name)}; allowed are 1 and more")
    if options.seed < 0:
        raise InputError(f"--seed is {options.seed}; allowed are 0 and more")
    if len(options.maps) != len(options.classes):
        raise InputError(
            f"{len(options.maps)} times --maps and {len(options.classes)} times --classes; each folder needs its "
            f"classes: one of {', '.join(KINDS)}"
        )
    if options.instances and len(options.instances) != len(options.maps):
        raise InputError("--instances must be given for every --maps, in the same order, or not at all")
    if options.size and (min(options.size) < 64 or any(side % 32 for side in options.size)):
        raise InputError(f"--size is {options.size[0]} {options.size[1]}; allowed are multiples of 32 from 64 up")
    if options.vgg is not None and not options.vgg.is_file():
        raise InputError(f"{options.vgg}: no such file of VGG19 weights; without --vgg random ones serve")
    if options.json is not None and (options.json.is_dir() or not options.json.absolute().parent.is_dir()):
        raise InputError(f"{options.json}: not a file in a folder that exists, so the results could not be written")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "i2i benchmark",
        description="Time, memory and exactness of the fast paths against the dense reference, run in turn in one "
        "process. Leave the machine alone meanwhile. Without --maps the embedded scenes serve.",
    )
    add = parser.add_argument
    what = ("generator", "strokes", "step", "data", "all")
    add("what", nargs="?", choices=what, default="all", help="pictures, painting, training steps, the loader; all")
    add("--maps", type=Path, action="append", default=[], metavar="FOLDER", help="label maps; may be given again")
    add("--classes", action="append", default=[], choices=KINDS, help="how to read them; once for every --maps")
    add(
        "--instances",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="once for every --maps; else those beside the maps serve, or the borders of classes",
    )
    add("--count", type=int, default=4, help="label maps of each set, at most (default 4)")
    add("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="default 256 256, for cityscapes 256 512")
    add("--batch", type=int, default=1, help="maps a batch (default 1)")
    add("--width", type=int, default=64, help="of the networks (default 64, as published)")
    add("--device", default="auto", help="cpu, cuda, cuda:1, or auto (default)")
    add("--dtype", choices=_DTYPES, default="float32", help="of features and convolutions (default float32)")
    add("--repeats", type=int, default=5, help="timed runs on every input (default 5)")
    add("--seed", type=int, default=0, help="of weights, styles, scenes and random labels")
    add("--compile", action="store_true", help="also the dense reference under torch.compile; compiling takes minutes")
    add("--vgg", type=Path, metavar="FILE", help="VGG19 weights for the step; random ones serve without")
    add("-c", "--config", action="append", help="configuration of i2i fit whose loader is measured; --data.… override")
    add("--samples", type=int, default=64, help="samples to load (default 64)")
    add("--json", type=Path, metavar="FILE", help="write all numbers there, too")
    return parser
