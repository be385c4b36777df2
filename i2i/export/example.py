"""Programs that run a graph, as the model card shows them: whole, so that they paint a picture as they stand."""

from __future__ import annotations

import torch

from i2i.export.graph import Input, Signature
from i2i.export.model import Model
from i2i.export.styles import COUNT
from i2i.image_map import ImageSemantics
from i2i.model_folder import CLASSES, CONFIG, ONNX, PROGRAM
from i2i.nn.unet import UNetGenerator

_STYLES = f'''with open("{CONFIG}", encoding="utf-8") as file:
    styles = numpy.array(json.load(file)["styles"], numpy.float32)  # ({COUNT}, {{length}})'''


def onnx_program(model: Model, signature: Signature) -> str:
    """Runs the ONNX file by onnxruntime."""
    feed = ", ".join(f'"{name}": {name}' for name in signature.names)
    lines = [
        f'session = onnxruntime.InferenceSession("{ONNX}")',
        f'(photo,) = session.run(["photo"], {{{feed}}})  # float32 (N, 3, H, W) in [-1, 1]',
    ]
    return _program(model, signature, "onnxruntime", lines)


def torch_program(model: Model, signature: Signature) -> str:
    """Runs the program of torch.export by PyTorch."""
    lines = [
        f'generator = torch.export.load("{PROGRAM}").module()',
        f"inputs = [torch.from_numpy(each) for each in [{', '.join(signature.names)}]]",
        "photo = generator(*inputs)  # (N, 3, H, W) in [-1, 1]",
    ]
    return _program(model, signature, "torch", lines)


def _program(model: Model, signature: Signature, runtime: str, lines: list[str]) -> str:
    length = model.generator.style_dim
    imports = ["import numpy", f"import {runtime}", ""]
    if length is not None:
        imports = ["import json", "", *imports, _STYLES.format(length=length)]
    made = [_made(each, model) for each in signature.inputs]
    return "\n".join(["```python", *imports, *made, *lines, "```"])


def _made(given: Input, model: Model) -> str:
    """A line that makes an input for one map."""
    sizes = {"batch": 1} | dict(zip(("height", "width"), _size(model), strict=True))
    if "kept" in given.shape:
        sizes["kept"] = _kept(model)
    shape = tuple(sizes[side] if isinstance(side, str) else side for side in given.shape)
    if given.name == "instances":
        return "instances = labels  # ids (N, H, W), where there are any"
    if given.name == "labels":
        of = "" if model.encoding is None else f" of the labels in {CLASSES}"
        return f"labels = numpy.zeros({shape}, numpy.int64)  # maps (N, H, W){of}"
    if given.shape == ("batch", model.generator.style_dim):
        return f"{given.name} = styles[:1]  # one for each map, this or any other"
    if given.dtype == "bool":
        return f"{given.name} = numpy.random.random({shape}) < {1 - getattr(model.generator, 'dropout', 0.5):g}"
    if given.name == "noise":
        return f"noise = numpy.random.standard_normal({shape}).astype(numpy.float32)"
    return f"{given.name} = numpy.zeros({shape}, numpy.float32)  # in [-1, 1]"


def _size(model: Model) -> tuple[int, int]:
    """(H, W) that the model was trained at, where that is one size."""
    height, width = getattr(model.resize, "size", None) or (256, 256)
    return int(height), int(width)


def _kept(model: Model) -> int:
    """How many features there are that dropout may drop."""
    assert isinstance(model.generator, UNetGenerator)
    multiple = model.generator.multiple
    height, width = (-(-side // multiple) * multiple for side in _size(model))
    channels = model.semantics.channels if isinstance(model.semantics, ImageSemantics) else 1
    maps = {"labels": torch.zeros(1, height, width, dtype=torch.long)}
    condition = model.semantics.read({**maps, "condition": torch.zeros(1, channels, height, width)})
    drawn = model.generator.draw(condition)
    return 0 if drawn is None else drawn.shape[1]
