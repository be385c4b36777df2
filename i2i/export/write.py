"""Writes a model as a folder: in which formats it is wanted, verified before the folder gets its name."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

import i2i
from i2i.checkpoint import describe
from i2i.classes import ClassTable
from i2i.errors import InputError
from i2i.export.card import Figures, model_card
from i2i.export.folder import check_target, new_folder
from i2i.export.graph import Graph, signature
from i2i.export.graph_files import check_packages, load_onnx, load_program, write_onnx, write_program
from i2i.export.model import Model
from i2i.export.styles import drawn_styles
from i2i.export.verify import Trial, largest_difference, trials
from i2i.model_folder import CARD, CLASSES, CONFIG, FORMAT, ONNX, PROGRAM, WEIGHTS, fingerprint

Format = Literal["safetensors", "onnx", "torch-export"]

FILE_OF: dict[Format, str] = {"safetensors": WEIGHTS, "onnx": ONNX, "torch-export": PROGRAM}


def check_export(model: Model, out: Path, formats: Sequence[Format], overwrite: bool) -> None:
    """Raise :class:`InputError` where :func:`export` would, before the work begins: see there."""
    check_target(out, overwrite)
    if "onnx" in formats:
        check_packages()
    if set(formats) - {"safetensors"}:
        Graph(model.generator, model.semantics, model.encoder)


def export(
    model: Model,
    out: Path,
    formats: Sequence[Format] = ("safetensors",),
    overwrite: bool = False,
    figures: Figures | None = None,
    licence: str | None = None,
    say: Callable[[str], object] = print,
) -> None:
    """Write a folder of ``config.json``, the weights or graphs, ``classes.csv`` and the model card.

    Args:
        model: what to export.
        out: the folder; it is there as a whole or not at all.
        formats: of the generator; ``safetensors`` is the one that i2i loads, with all parts of the model.
        overwrite: whether an exported model in that folder is replaced.
        figures: what was measured, for the card.
        licence: of the weights, for the card.
        say: takes a line of news: how far each file is from the generator.

    Raises:
        InputError: something else is at that place, it cannot be written, a package is missing, the generator cannot be
            traced, or what was written does not paint what the generator paints.
    """
    check_export(model, out, formats, overwrite)
    with new_folder(out, overwrite) as folder:
        if "safetensors" in formats:
            _write_weights(folder / WEIGHTS, model)
        encoding = model.encoding
        if encoding is not None:
            (folder / CLASSES).write_text(classes_csv(encoding.classes), encoding="utf-8")
        graphs = _write_graphs(model, folder, formats, say)
        weights = {file: fingerprint(folder / file) for f in formats if (folder / (file := FILE_OF[f])).exists()}
        _write_config(folder / CONFIG, _config(model, weights, graphs), drawn_styles(model) if graphs else None)
        if "safetensors" in formats:
            say(f"{WEIGHTS}: read again, {_compared(model, folder)} tensors are the model's own, bit by bit")
        files = [CONFIG, *weights, *([CLASSES] if encoding is not None else [])]
        sign = signature(model.generator, model.semantics, model.encoder) if graphs else None
        card = model_card(out.resolve().name, model, files, sign, figures or Figures(), licence)
        (folder / CARD).write_text(card, encoding="utf-8")


def classes_csv(table: ClassTable) -> str:
    """``label,id,name,red,green,blue``: the number that networks take, and the one in label files."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "id", "name", "red", "green", "blue"])
    rows = zip(table.ids, table.names, table.colours.tolist(), strict=True)
    writer.writerows([label, number, name, *colour] for label, (number, name, colour) in enumerate(rows))
    return text.getvalue()


def _write_weights(path: Path, model: Model) -> None:
    try:
        save_file(model.state_dict(), path, metadata={"format": "pt"})
    except SafetensorError as error:
        found = re.search(r"\(os error (\d+)\)", str(error))  # all that is left of the system's own
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def _write_graphs(
    model: Model, folder: Path, formats: Sequence[Format], say: Callable[[str], object]
) -> dict[str, Any] | None:
    """Write those that are wanted, and compare each with the generator; the signature of the graphs."""
    if not set(formats) - {"safetensors"}:
        return None
    model = model.in_float32()
    graph = Graph(model.generator, model.semantics, model.encoder)
    program = graph.trace()
    made = trials(model)
    if "torch-export" in formats:
        write_program(folder / PROGRAM, program)
        difference = largest_difference(load_program(folder / PROGRAM), made, PROGRAM)
        say(_difference(PROGRAM, difference, made))
    if "onnx" in formats:
        write_onnx(folder / ONNX, graph, program)
        run = load_onnx(folder / ONNX)
        if run is None:
            say(f"{ONNX}: not compared with the generator, as onnxruntime is not installed")
        else:
            say(_difference(ONNX, largest_difference(run, made, ONNX), made))
    return graph.signature.to_json()


def _difference(file: str, difference: float, made: Sequence[Trial]) -> str:
    sizes = ", ".join(f"{each.expected.shape[3]}x{each.expected.shape[2]}" for each in made)
    return f"{file}: largest difference to the generator {difference:.1g} in values of [-1, 1] (maps of {sizes})"


def _compared(model: Model, folder: Path) -> int:
    """How many tensors were read again, all of them equal to the model's."""
    own, found = model.state_dict(), Model.load(folder).state_dict()
    if own.keys() != found.keys() or not all(torch.equal(own[name], found[name]) for name in own):
        raise InputError(f"{WEIGHTS}: the model that was read again is another one; nothing is written")
    return len(own)


def _config(model: Model, weights: dict[str, Any], graphs: dict[str, Any] | None) -> dict[str, Any]:
    described = describe(
        generator=model.generator,
        semantics=model.semantics,
        encoder=model.encoder,
        discriminator=model.discriminator,
        encoding=model.encoding,
        resize=model.resize,
    )
    config = {
        "library_name": "i2i",
        "format": FORMAT,
        "version": i2i.__version__,
        "weights": model.weights,
        "batch statistics": model.statistics,
        "files": weights,
        "model": described,
    }
    return config if graphs is None else config | {"graph": graphs}


def _write_config(path: Path, content: dict[str, Any], styles: list[list[float]] | None) -> None:
    """As JSON, for people to look into, too: the styles come last, one a line."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    if styles is not None:
        lines = ",\n".join(f"  {json.dumps(style, allow_nan=False)}" for style in styles)
        text = text.removesuffix("\n}") + f',\n "styles": [\n{lines}\n ]\n}}'
    path.write_text(text + "\n", encoding="utf-8")
