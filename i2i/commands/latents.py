"""`i2i latents MODEL OUT`: pictures along lines through a model's latent space, and arithmetic of latents."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from i2i.checkpoint import write_atomically
from i2i.commands.arguments import Parser
from i2i.errors import InputError
from i2i.foundations.latent import LatentGenerator
from i2i.foundations.latents import SampleLatents
from i2i.foundations.sampler import Sampler
from i2i.latent_space import LatentSpace, Place
from i2i.latent_strips import BOTH, Arithmetic, LatentStrips, latent_strips
from i2i.map_latents import MapLatents, latent_length
from i2i.model_folder import load_parts
from i2i.pictures import write_png
from i2i.synthesizer import Synthesizer
from i2i.whole_folder import check_free, whole_folder

_STRIPS, _ARITHMETIC, _LATENTS, _PICTURES = "strips.png", "arithmetic.png", "latents.npz", "pictures"


def run(arguments: Sequence[str]) -> int:
    """Draw the rows, and write sheets, pictures and latents."""
    options = _parser().parse_args(arguments[1:])
    free = partial(check_free, options.out, options.overwrite, "pictures", _check_ours)
    free()  # before the work
    pairs, arithmetic = _pairs(options), _arithmetic(options)
    if not options.count and arithmetic is None and not pairs:
        raise InputError("--count is 0, which leaves nothing to draw: allowed with --towards, --away and --base")
    spaces = _spaces(options)
    ways = BOTH if options.way == "both" else (options.way,)
    with Progress() as bar:
        task = bar.add_task(f"Drawing into {options.out}", total=None, visible=False)
        found = latent_strips(
            spaces,
            pairs,
            arithmetic,
            count=options.count,
            steps=options.steps,
            ways=ways,
            seed=options.seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
        )
    with whole_folder(options.out, free) as folder:
        _write(folder, found, several=len(spaces) > 1)
    sheets = [name for name, rows in ((_STRIPS, found.strips), (_ARITHMETIC, found.arithmetic)) if rows]
    print(f"wrote {' and '.join(str(options.out / name) for name in sheets)}")
    print(f"every picture is in {options.out / _PICTURES}, the latents are in {options.out / _LATENTS}")
    return 0


def _spaces(options: Any) -> list[LatentSpace]:
    """The model's latent space over each of the maps, or of the classes."""
    parts = load_parts(options.model, ema=not options.raw)
    if isinstance(parts["generator"], LatentGenerator):
        return _of_samples(options, parts)
    try:
        latent_length(parts["generator"])
    except InputError as error:
        raise InputError(f"{options.model}: {error}") from error
    if options.classes:
        raise InputError(f"{options.model} makes pictures of maps; --classes is for models of samples")
    if not options.labels:
        raise InputError(f"{options.model} makes pictures of maps: name one or more with --labels MAP")
    instances: list[Path | None] = options.instances or [None] * len(options.labels)
    if len(instances) != len(options.labels):
        raise InputError(f"--labels names {len(options.labels)} maps, --instances {len(instances)}; it takes as many")
    synthesizer = Synthesizer(**parts, device=options.device)
    return [MapLatents(synthesizer, *maps) for maps in zip(options.labels, instances, strict=True)]


def _of_samples(options: Any, parts: dict[str, Any]) -> list[LatentSpace]:
    if options.labels or options.instances:
        raise InputError(f"{options.model} is a model of samples, and takes no maps; leave --labels out")
    sampler = Sampler(parts["generator"], parts["semantics"], parts["encoder"], options.device)
    try:
        return [SampleLatents(sampler, label) for label in options.classes or [None]]
    except InputError as error:
        raise InputError(f"{options.model}: {error}; see --classes") from error


def _pairs(options: Any) -> list[tuple[Place, Place]]:
    begin, end = options.begin or [], options.to or []
    if len(begin) != len(end):
        raise InputError(f"--from names {len(begin)} places, --to {len(end)}; each pair takes one of both")
    return [(_place(a), _place(b)) for a, b in zip(begin, end, strict=True)]


def _arithmetic(options: Any) -> Arithmetic | None:
    parts = {"--towards": options.towards, "--away": options.away, "--base": options.base}
    missing = [name for name, value in parts.items() if value is None]
    if len(missing) == 3:
        return None
    if missing:
        raise InputError(f"arithmetic takes --towards, --away and --base; {', '.join(missing)} is not given")
    towards, away = (list(map(_place, group)) for group in (options.towards, options.away))
    return Arithmetic(towards, away, _place(options.base), options.by)


def _place(given: str) -> Place:
    """A number is the seed of a latent, unless there is a file of this name."""
    try:
        number = int(given)
    except ValueError:
        return Path(given)
    try:
        return Path(given) if Path(given).exists() else number
    except OSError:  # too long for the name of a file
        return number


def _write(folder: Path, found: LatentStrips, several: bool) -> None:
    for row in [*found.strips, *found.arithmetic]:
        own = folder / _PICTURES / (f"{row.name}_{row.space}" if several else row.name)
        for number, picture in enumerate(row.pictures):
            write_png(own / f"{number:02d}.png", picture)
    for name, sheet in ((_STRIPS, found.sheet), (_ARITHMETIC, found.arithmetic_sheet)):
        if sheet is not None:
            write_png(folder / name, sheet)
    arrays: dict[str, Any] = {name: latents.numpy() for name, latents in found.latents.items()}
    write_atomically(folder / _LATENTS, lambda file: np.savez(file, **arrays))


def _check_ours(out: Path) -> None:
    allowed = {_STRIPS, _ARITHMETIC, _LATENTS, _PICTURES}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in allowed)
    if foreign:
        raise InputError(f"{out} holds {foreign[0]!r}, which i2i latents has not written; it is not overwritten")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "i2i latents",
        description="Strips of pictures from one latent to another, spherical and linear, and arithmetic of latents. "
        "A PLACE is a photo, whose latent the model's encoder finds, or a number: the seed that a latent is drawn by.",
        epilog="Example: i2i latents MODEL OUT --labels map.png --towards dusk1.jpg dusk2.jpg --away day1.jpg --base 7",
    )
    parser.add_argument("model", type=Path, help="a checkpoint, a converted or an exported model, or owner/name")
    parser.add_argument("out", type=Path, help="folder for the sheets, pictures and latents")
    text = "the map or maps whose pictures are made (images, for a model that translates them)"
    parser.add_argument("--labels", nargs="+", type=Path, metavar="MAP", help=text)
    text = "for a model of samples of classes: whose samples, one class or more"
    parser.add_argument("--classes", nargs="+", type=int, metavar="CLASS", help=text)
    parser.add_argument("--instances", nargs="+", type=Path, metavar="MAP", help="as many; else class borders serve")
    text = "where strips begin; without --from and --to they are drawn"
    parser.add_argument("--from", nargs="+", dest="begin", metavar="PLACE", help=text)
    parser.add_argument("--to", nargs="+", metavar="PLACE", help="where they end, as many")
    text = "what have in common what is to be added"
    parser.add_argument("--towards", nargs="+", metavar="PLACE", help=text)
    parser.add_argument("--away", nargs="+", metavar="PLACE", help="what have in common what is to go")
    parser.add_argument("--base", metavar="PLACE", help="from where: base + by * (mean of towards - mean of away)")
    text = "how far, one number or more (default 0 0.5 1 1.5)"
    parser.add_argument("--by", nargs="+", type=float, default=[0.0, 0.5, 1.0, 1.5], metavar="NUMBER", help=text)
    parser.add_argument(
        "--count", type=int, default=3, help="strips between drawn latents (default 3; 0 for arithmetic alone)"
    )
    parser.add_argument("--steps", type=int, default=9, help="pictures of a strip, its ends included (default 9)")
    parser.add_argument("--way", choices=[*BOTH, "both"], default="both", help="how they go (default both)")
    parser.add_argument("--seed", type=int, default=0, help="of the first latent drawn; the next has the next seed")
    parser.add_argument("--overwrite", action="store_true", help="replace what i2i latents has written to OUT before")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto (default)")
    parser.add_argument("--raw", action="store_true", help="the trained weights instead of their moving average")
    return parser
