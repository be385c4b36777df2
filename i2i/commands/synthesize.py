"""`i2i synthesize MODEL LABELS OUT`: a folder of label maps or images, or one, to photographs."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from i2i.commands.arguments import Parser
from i2i.data.files import list_images
from i2i.errors import InputError
from i2i.photos import LabelledPhoto
from i2i.pictures import write_png
from i2i.synthesizer import Synthesizer

_LABEL_IDS, _INSTANCE_IDS = "_gtFine_labelIds", "_gtFine_instanceIds"


def run(arguments: Sequence[str]) -> int:
    """Synthesise every map and write ``OUT/<name of the map>.png``; with --count, ``<name>_0.png`` and so on."""
    options = _parser().parse_args(arguments[1:])
    if options.count < 1:
        raise InputError(f"--count is {options.count}; it is a number of pictures a map, at least 1")
    if options.style_labels is not None and options.style is None:
        raise InputError("--style-labels is the label map of the --style photo, and there is none")
    resample = [_class(name) for name in options.resample]
    maps, out = _maps(options.labels), Path(options.out)
    instances = _instances(maps, options.instances)
    given = [options.style, options.style_labels, *(Path(name) for region in options.region for name in region[1:])]
    _check_names(out, maps, options.count, [*instances.values(), *(path for path in given if path is not None)])
    dtype = None if options.dtype is None else getattr(torch, options.dtype)
    synthesizer = Synthesizer.load(
        options.model, device=options.device, ema=not options.raw, dtype=dtype, memory=options.memory
    )
    if len(maps) > 1:
        _check_style(synthesizer, options, len(maps))
    style: Path | LabelledPhoto | None = options.style
    if options.style_labels is not None:
        style = _labelled(synthesizer, options.style, options.style_labels)
    regions = {_class(name): _labelled(synthesizer, Path(photo), Path(map)) for name, photo, map in options.region}

    def read(path: Path) -> tuple[Tensor, Tensor | None]:
        return synthesizer.read(path, instances.get(_name(path)), own_size=options.own_size)

    if len(maps) > 1:  # a bad map is known before the pictures of those before it are made
        for path in track(maps, description="Reading the maps"):
            read(path)
    for path in track(maps, description=f"Synthesising into {out}"):
        labels, ids = read(path)
        choices = {"seed": options.seed, "count": options.count, "resample": resample}
        photos = synthesizer(labels, ids, style=style, features=regions or None, **choices)
        for name, photo in zip(_pictures(path, options.count), photos, strict=True):
            write_png(out / name, photo)
    print(f"{len(maps) * options.count} pictures in {out}")
    return 0


def _pictures(path: Path, count: int) -> list[str]:
    """The names of the pictures of a map."""
    return [f"{_name(path)}.png"] if count == 1 else [f"{_name(path)}_{number}.png" for number in range(count)]


def _check_names(out: Path, maps: Sequence[Path], count: int, others: Sequence[Path]) -> None:
    """Raise :class:`InputError` where a picture would take the place of a file that is read."""
    given = {path.resolve() for path in [*maps, *others]}
    written = (out / name for path in maps for name in _pictures(path, count))
    lost = next((path for path in written if path.resolve() in given), None)
    if lost is not None:
        raise InputError(f"{lost} is read, and a picture would take its place; name another folder than {out}")


def _check_style(synthesizer: Synthesizer, options: argparse.Namespace, maps: int) -> None:
    """Raise :class:`InputError` where one photo is taken for that of each of several maps."""
    if options.style is None or options.style_labels is not None or not synthesizer.generator.regional:
        return
    way = "name its own label map with --style-labels" if synthesizer.generator.region_channels else "name that map"
    raise InputError(
        f"--style {options.style}: this model takes the style of each region, and a photo shows those of one map, "
        f"while there are {maps}; {way}"
    )


def _class(name: str) -> int | str:
    return int(name) if name.isdecimal() else name


def _labelled(synthesizer: Synthesizer, photo: Path, labels: Path) -> LabelledPhoto:
    """A photo with its own label map, prepared as the model's maps are."""
    return LabelledPhoto(photo, synthesizer.read(labels)[0])


def _maps(given: Path) -> list[Path]:
    """The label maps of a file or folder, in sub-folders too; of Cityscapes' files only those of labels."""
    if not given.exists():
        raise InputError(f"{given}: no such file or folder")
    if not given.is_dir():
        return [given]
    found: list[Path] = list_images(given, deep=True)
    found = [path for path in found if path.stem.endswith(_LABEL_IDS)] or found
    names = Counter(_name(path) for path in found)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{given}: two files are called {twice!r}; their pictures would have one name")
    if not found:
        raise InputError(f"{given}: no label maps or images (PNG, TIFF, JPEG, …) in this folder")
    return found


def _instances(maps: Sequence[Path], given: Path | None) -> dict[str, Path]:
    """The instance map of each label map by name; Cityscapes' lie beside the labels."""
    if given is None:
        beside = {_name(path): path.with_name(path.name.replace(_LABEL_IDS, _INSTANCE_IDS)) for path in maps}
        return {name: path for name, path in beside.items() if path.stem.endswith(_INSTANCE_IDS) and path.exists()}
    if not given.exists():
        raise InputError(f"{given}: no such file or folder")
    if not given.is_dir():
        if len(maps) > 1:
            raise InputError(f"{given} is one instance map, but there are {len(maps)} label maps; name a folder")
        return {_name(maps[0]): given}
    found = {_name(path): path for path in list_images(given, deep=True) if not path.stem.endswith(_LABEL_IDS)}
    missing = next((path for path in maps if _name(path) not in found), None)
    if missing is not None:
        raise InputError(f"{missing}: no instance map of this name in {given}")
    return found


def _name(path: Path) -> str:
    """What label map, instance map and picture have in common."""
    return path.stem.removesuffix(_LABEL_IDS).removesuffix(_INSTANCE_IDS)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "i2i synthesize",
        description="Label maps, or the images that a model translates, to photographs. The model needs no other flag.",
    )
    parser.add_argument("model", type=Path, help="a checkpoint, a converted or an exported model, or owner/name")
    parser.add_argument("labels", type=Path, help="a label map or image, or a folder of them, as in training")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--instances", type=Path, help="instance map(s) of the same names; else class borders serve")
    parser.add_argument("--style", type=Path, help="photo whose style the pictures take (models with a style encoder)")
    labels = "the label map of that photo, for models with a style for each class, which so takes it to other maps"
    parser.add_argument("--style-labels", type=Path, metavar="MAP", help=labels)
    region = "the style of one class (name or label) from another photo with its label map; any number of times"
    parser.add_argument(
        "--region", nargs=3, action="append", default=[], metavar=("CLASS", "PHOTO", "MAP"), help=region
    )
    parser.add_argument("--seed", type=int, default=0, help="of the styles that are drawn (default 0)")
    parser.add_argument("--count", type=int, default=1, help="pictures a map, each in its own style (default 1)")
    resample = "classes (names or labels) in which alone the pictures of a map differ (OASIS, SEAN)"
    parser.add_argument("--resample", nargs="+", default=[], metavar="CLASS", help=resample)
    parser.add_argument("--own-size", action="store_true", help="pictures as large as their maps, not as in training")
    memory = "GiB a picture may take; a larger one of SPADE, OASIS or SEAN is made in bands, without seams"
    memory += " (default: half of what is free)"
    parser.add_argument("--memory", type=float, metavar="GIB", help=memory)
    types = ["float32", "bfloat16", "float16"]
    parser.add_argument("--dtype", choices=types, help="of the generator's numbers (default: as it was trained)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto (default)")
    parser.add_argument("--raw", action="store_true", help="the trained weights instead of their moving average")
    return parser
