"""The model card: what the Hugging Face Hub shows of a model, and a person reads first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from i2i.export.example import onnx_program, torch_program
from i2i.export.graph import Signature
from i2i.export.model import Model
from i2i.export.styles import COUNT
from i2i.metrics.result import Result
from i2i.model_folder import CLASSES, CONFIG, ONNX, PROGRAM, WEIGHTS
from i2i.nn.generator import Generator
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics

_FAMILIES = {
    "SPADEGenerator": "SPADE",
    "ProgressiveSPADEGenerator": "SPADE",
    "OASISGenerator": "OASIS",
    "SEANGenerator": "SEAN",
    "GlobalGenerator": "pix2pixHD",
    "LocalEnhancer": "pix2pixHD",
    "UNetGenerator": "pix2pix",
}
_ONE = "A map has one picture."
_HUB_METRICS = {"mIoU": "mean_iou", "pixel accuracy": "accuracy"}


@dataclass(frozen=True)
class Figures:
    """What was measured of a model: results, and what `i2i evaluate` tells about all of them."""

    results: Sequence[Result] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def model_card(
    name: str, model: Model, files: Sequence[str], signature: Signature | None, figures: Figures, licence: str | None
) -> str:
    """The text of a README.md with the front matter that the Hub reads.

    Args:
        name: of the model.
        model: what was exported.
        files: the names of the files of the folder, the card's left out.
        signature: of the graphs, where there are any.
        figures: what was measured.
        licence: of the weights, as the Hub abbreviates it (``apache-2.0``, ``cc-by-nc-4.0``, …); None says nothing.
    """
    front = yaml.safe_dump(_front_matter(name, model, files, figures, licence), sort_keys=False, allow_unicode=True)
    sections = [f"---\n{front}---", f"# {name}", _about(model), _use(model, files, signature), _files(files)]
    if signature is not None:
        sections.append(_inputs(signature))
        if model.generator.style_dim is not None:
            sections.append(_styles(model, files))
    sections.append(_weights(model))
    if figures.results:
        sections.append(_figures(figures))
    return "\n\n".join(sections) + "\n"


def family(generator: Generator) -> str:
    """What the field calls it."""
    return _FAMILIES.get(type(generator).__name__, type(generator).__name__)


def _front_matter(
    name: str, model: Model, files: Sequence[str], figures: Figures, licence: str | None
) -> dict[str, Any]:
    tags = ["i2i", "gan", family(model.generator).lower()]
    is_semantic = isinstance(model.semantics, LabelSemantics)
    tags.append("semantic-image-synthesis" if is_semantic else "image-to-image-translation")
    if ONNX in files:
        tags.append("onnx")
    front: dict[str, Any] = {"library_name": "i2i", "pipeline_tag": "image-to-image", "tags": tags}
    if licence is not None:
        front = {"license": licence, **front}
    measured = [r for r in figures.results if not r.of_real_photos and np.isfinite(r.value)]
    if measured:
        data = str(figures.about.get("data", "unknown"))
        split = str(figures.about.get("split", "val"))
        metrics = [
            {"type": _metric(r.name), "name": _with_unit(r), "value": round(float(r.value), 4)} for r in measured
        ]
        result = {
            "task": {"type": "image-to-image", "name": "Semantic image synthesis" if is_semantic else "Image to image"},
            "dataset": {"type": re.sub(r"\W+", "-", data).lower(), "name": data, "split": split},
            "metrics": metrics,
        }
        front["model-index"] = [{"name": name, "results": [result]}]
    return front


def _metric(name: str) -> str:
    return _HUB_METRICS.get(name, re.sub(r"\W+", "_", name).strip("_").lower())


def _with_unit(result: Result) -> str:
    return f"{result.name} ({result.unit})" if result.unit else result.name


def _about(model: Model) -> str:
    semantics = model.semantics
    if isinstance(semantics, LabelSemantics):
        given = f"label maps of {semantics.num_classes} classes" + (" with instance edges" if semantics.edges else "")
    else:
        given = f"images of {semantics.channels} channels"
    size = getattr(model.resize, "size", None)
    at = f", trained at {size[1]}×{size[0]}" if size is not None else ""
    millions = sum(p.numel() for p in model.generator.parameters()) / 1e6
    return (
        f"A {family(model.generator)} generator of {millions:.1f} million parameters: from {given} to photographs{at}. "
        f"{_style(model)} Made with i2i."
    )


def _style(model: Model) -> str:
    if isinstance(model.encoder, InstanceEncoder):
        return "The looks of each instance come from a photo, or are drawn from what was seen in training."
    if model.generator.regional:
        return "The style of each region is that of a region of a photo, or is drawn from what was seen in training."
    if model.encoder is not None:
        source = "from those of the photos it was trained on" if model.encoder.draws else "at random"
        return f"The style is that of a photo, a vector, or drawn {source}."
    if isinstance(model.generator, UNetGenerator):
        return "Its noise is dropout." if model.generator.noisy_channels else _ONE
    if family(model.generator) == "OASIS":
        return f"Its noise is drawn for each {getattr(model.generator, 'noise', 'image')}."
    drawn = model.generator.style_dim is not None or model.generator.feature_channels
    return "Styles are drawn at random." if drawn else _ONE


def _use(model: Model, files: Sequence[str], signature: Signature | None) -> str:
    blocks = ["## Use"]
    if WEIGHTS in files:
        varied = "" if _style(model) == _ONE else ", seed=0, count=4"
        blocks.append(
            "```python\nfrom i2i.synthesizer import Synthesizer\n\n"
            'synthesizer = Synthesizer.load("FOLDER or owner/name", device="auto")\n'
            'maps, _ = synthesizer.read("map.png")\n'
            f"photos = synthesizer(maps{varied})  # uint8 (N, H, W, 3)\n```"
        )
    if signature is not None and ONNX in files:
        blocks.append(onnx_program(model, signature))
    if signature is not None and PROGRAM in files:
        blocks.append(torch_program(model, signature))
    return "\n\n".join(blocks)


def _files(files: Sequence[str]) -> str:
    told = {
        CONFIG: "the recipes of the networks, classes and preprocessing, sizes and hashes",
        WEIGHTS: "the weights, encoder and discriminator included where the model has them",
        ONNX: "the generator for ONNX runtimes",
        PROGRAM: "the generator as a program of torch.export",
        CLASSES: f"the classes: `label` is what networks take, `id` what files hold ({CONFIG} is what i2i reads)",
    }
    return "\n".join(["| file | |", "|---|---|", *(f"| `{file}` | {told[file]} |" for file in files)])


def _inputs(signature: Signature) -> str:
    rows = [f"| `{x.name}` | {x.dtype} | {', '.join(map(str, x.shape))} | {x.meaning} |" for x in signature.inputs]
    note = (
        f"Any batch; any height and width from {signature.least}: maps are padded to multiples of {signature.multiple} "
        "within the graph, and the photos cropped back. A value that is no class is none: it is not refused."
    )
    return "\n".join(["## Inputs of the graph", "", "| input | type | shape | |", "|---|---|---|---|", *rows, "", note])


def _styles(model: Model, files: Sequence[str]) -> str:
    """Where a program that runs a graph has its style vectors from."""
    told = (
        f"`styles` in {CONFIG} are {COUNT} vectors of {model.generator.style_dim} numbers, those that i2i draws by "
        f"the seeds 0 to {COUNT - 1}; a graph takes one for each map. "
    )
    if model.encoder is not None and model.encoder.draws:
        told += (
            "They are drawn from the styles of the photos that the model was trained on. Standard normal vectors lie "
            "mostly between these styles, and give pictures like none of the photos."
        )
    else:
        told += "They are standard normal, and any others of that distribution will do."
    if model.encoder is not None and WEIGHTS in files:
        told += ' The style of a photo is what the encoder says of it: `synthesizer.latent("photo.jpg")`.'
    elif model.encoder is not None:
        told += " The style of a photo is what the model's encoder says of it, which is not in this folder."
    return f"## Styles\n\n{told}"


def _weights(model: Model) -> str:
    kind = "the moving average of those of the training" if model.weights == "averaged" else "as trained"
    lines = [f"- Weights: {kind}"]
    if model.statistics is not None:
        lines.append(f"- Batch statistics: {model.statistics}")
    return "\n".join(["## Weights", "", *lines])


def _figures(figures: Figures) -> str:
    """Every figure with its protocol; what all have in common first."""
    common = {
        name: value
        for name, value in figures.results[0].protocol.items()
        if all(r.protocol.get(name) == value for r in figures.results)
    }
    rows = []
    for r in figures.results:
        own = "; ".join(f"{name}: {_plain(value)}" for name, value in r.protocol.items() if name not in common)
        arrow = {"lower": "↓", "higher": "↑", None: ""}[r.better]
        rows.append(f"| {r.name} {arrow} | {r.figure} | {own} |")
    told = "; ".join(f"{name}: {_plain(value)}" for name, value in common.items())
    return "\n".join(["## Figures", "", told, "", "| figure | value | protocol |", "|---|---|---|", *rows])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return str(value).replace("|", "\\|").replace("\n", " ")
