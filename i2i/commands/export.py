"""`i2i export MODEL OUT`: a model as a folder to give away, in formats of others too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from i2i.commands.arguments import Parser, split_flags
from i2i.errors import InputError
from i2i.export.card import Figures
from i2i.export.model import BORROWED, OF_THE_FILE, Model
from i2i.export.write import FILE_OF, check_export, export
from i2i.metrics.result import read_results, report_folder
from i2i.model_folder import model_hash

_BATCHES = 50


def run(arguments: Sequence[str]) -> int:
    """Export, and say what was done about the weights and how far each file is from the generator."""
    overrides, own = split_flags(arguments[1:], ("--data",))
    options = _parser().parse_args(own)
    formats = list(dict.fromkeys(options.format))
    if options.config is None and (options.recalculate is not None or overrides):
        flag = "--recalculate" if options.recalculate is not None else overrides[0]
        raise InputError(
            f"{flag} is about the training photos, from which batch statistics are: name them with -c CONFIG"
        )
    model = Model.load(options.model, raw=options.raw)
    check_export(model, options.out, formats, options.overwrite)
    recalculated = options.recalculate
    if options.config is not None and recalculated is None:
        recalculated = _BATCHES
    figures = _figures(options, recalculated)
    print(f"Exporting {options.model}, its {model.weights} weights, to {options.out}", flush=True)
    if recalculated is not None:
        _recalculate(model, options, overrides, recalculated)
    if model.statistics is not None:
        hint = "; -c CONFIG computes its own" if model.statistics == BORROWED else ""
        print(f"batch statistics: {model.statistics}{hint}", flush=True)
    export(model, options.out, formats, options.overwrite, figures, options.licence)
    following = f"i2i synthesize {options.out} LABELS PICTURES, or i2i push {options.out} OWNER/NAME"
    print(f"wrote {options.out}" + (f"; next: {following}" if "safetensors" in formats else ""))
    return 0


def _recalculate(model: Model, options: Any, overrides: Sequence[str], batches: int) -> None:
    """Give the generator batch statistics of its own, as `i2i evaluate --recalculate` does."""
    from i2i.commands.data import read_data  # only here: the configuration library takes seconds to import
    from i2i.device import choose_device
    from i2i.evaluation.statistics import check_fits, recalculate_model

    data = read_data(options.config, overrides)
    check_fits(options.model, model.semantics, model.encoding, data)
    device = choose_device(options.device)
    recalculate_model(model.generator, model.semantics, model.encoder, data, batches, device)
    for network in (model.generator, model.encoder):
        if network is not None:
            network.cpu()
    model.statistics = _told(batches)


def _told(recalculated: int | None) -> str:
    return OF_THE_FILE if recalculated is None else f"recalculated on {recalculated} batches"


def _figures(options: Any, recalculated: int | None) -> Figures:
    """What was measured of this very model: figures of other weights have no place on its card."""
    path = options.results or report_folder(options.model) / "results.json"
    if options.results is None and not path.exists():
        return Figures()
    results, about = read_results(path)
    reason = None
    if about.get("model sha256") != model_hash(options.model):
        reason = f"the figures are of another file, {about.get('model')}"
    elif (about.get("weights") == "trained") != options.raw:
        reason = f"the figures are of the {about.get('weights')} weights"
    elif about.get("batch statistics") != _told(recalculated):
        reason = f"the figures are of batch statistics {about.get('batch statistics')}"
    if reason is None:
        return Figures(results, about)
    if options.results is not None:
        raise InputError(f"{path}: {reason}, not of the model that is exported")
    print(f"{path}: {reason}; the card goes without", flush=True)
    return Figures()


def _parser() -> Parser:
    parser = Parser(
        "i2i export",
        description="A folder of config.json, model.safetensors, classes.csv and a model card. Nothing in it is code, "
        "and i2i reads it without the trainer: Synthesizer.load(OUT). Flags --data.… override the configuration.",
        epilog="Example: i2i export runs/camvid/checkpoints/best.ckpt exported/camvid --format safetensors onnx",
    )
    parser.add_argument("model", type=Path, help="a checkpoint, a converted or an exported model, or owner/name")
    parser.add_argument("out", type=Path, help="the folder to write")
    text = "safetensors (default) is what i2i reads; onnx and torch-export are the generator alone, for other programs"
    parser.add_argument("--format", nargs="+", default=["safetensors"], choices=list(FILE_OF), help=text)
    parser.add_argument("--raw", action="store_true", help="the trained weights instead of their moving average")
    text = (
        "a configuration of i2i fit: batch statistics are computed anew from its training photos; else the file's stay"
    )
    parser.add_argument("-c", "--config", action="append", help=text)
    text = f"from so many batches (with -c; default {_BATCHES})"
    parser.add_argument("--recalculate", type=int, metavar="N", help=text)
    text = "results.json of i2i evaluate, for the card (default: the one in the model's run)"
    parser.add_argument("--results", type=Path, metavar="FILE", help=text)
    parser.add_argument("--licence", "--license", metavar="ID", help="of the weights, for the card: apache-2.0, …")
    parser.add_argument("--overwrite", action="store_true", help="replace an exported model in that folder")
    parser.add_argument(
        "--device", default="auto", help="where to recalculate: cpu, cuda, cuda:1, mps, or auto (default)"
    )
    return parser
