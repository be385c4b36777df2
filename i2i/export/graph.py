"""A generator as a graph of tensors: integer maps (or images) and styles in, photos out, of any batch and size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbols

from i2i.condition import Semantics
from i2i.errors import InputError
from i2i.export.conditions import TracedMap, TracedNoise, cropped_to, edges_of, padded_to
from i2i.export.traceable import least_side, traceable
from i2i.image_map import ImageMap
from i2i.model_folder import CONFIG
from i2i.nn.generator import Generator
from i2i.nn.oasis import OASISGenerator
from i2i.nn.style import Encoder
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics

OUTPUT = "photo"


@dataclass(frozen=True)
class Input:
    """One input of a graph.

    Attributes:
        name: what it is called.
        dtype: ``int64``, ``float32`` or ``bool``.
        shape: sizes, or the names of those that may vary.
        meaning: for people.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str

    @property
    def spatial(self) -> bool:
        """Whether it has a value for each pixel."""
        return "height" in self.shape


@dataclass(frozen=True)
class Signature:
    """What a graph takes and gives.

    Attributes:
        inputs: in their order.
        multiple: maps are padded to multiples of this within the graph, and the photos cropped back.
        least: the smallest height and width.
    """

    inputs: tuple[Input, ...]
    multiple: int
    least: int

    @property
    def names(self) -> list[str]:
        """Of the inputs."""
        return [each.name for each in self.inputs]

    def to_json(self) -> dict[str, Any]:
        """As plain data, with the output."""
        inputs = [asdict(each) | {"shape": list(each.shape)} for each in self.inputs]
        meaning = "RGB in [-1, 1]"
        shape = ["batch", 3, "height", "width"]
        output = {"name": OUTPUT, "dtype": "float32", "shape": shape, "meaning": meaning}
        return {"inputs": inputs, "outputs": [output], "pads to multiples of": self.multiple, "least side": self.least}


def signature(generator: Generator, semantics: Semantics, encoder: Encoder | None = None) -> Signature:
    """The inputs of a generator's graph.

    Args:
        generator: what the graph computes.
        semantics: how it reads its condition.
        encoder: of the same model, where it has one: it is not in the graph, but tells where styles come from.
    """
    plane = ("batch", "height", "width")
    if isinstance(semantics, LabelSemantics):
        classes = semantics.num_classes
        inputs = [Input("labels", "int64", plane, f"label map, values 0 to {classes - 1}")]
        if semantics.edges:
            inputs.append(Input("instances", "int64", plane, "instance ids; the label map, where there are none"))
    else:
        shape = ("batch", semantics.channels, "height", "width")
        inputs = [Input("image", "float32", shape, "image in [-1, 1]")]
    style = _style_input(generator, semantics, encoder)
    if style is not None:
        inputs.append(style)
    return Signature(tuple(inputs), generator.multiple, least_side(generator))


def _style_input(generator: Generator, semantics: Semantics, encoder: Encoder | None) -> Input | None:
    if isinstance(generator, OASISGenerator):
        length = generator.noise_channels
        classes = semantics.num_classes if isinstance(semantics, LabelSemantics) else 0
        shape: tuple[int | str, ...] = ("batch", length, "height", "width")
        if generator.noise in ("image", "class"):
            shape = ("batch", length) if generator.noise == "image" else ("batch", classes, length)
        each = "pixel, the same all over an instance" if generator.noise == "instance" else generator.noise
        return Input("noise", "float32", shape, f"standard normal, for each {each}")
    if generator.feature_channels:
        shape = ("batch", generator.feature_channels, "height", "width")
        return Input("features", "float32", shape, "features in [-1, 1] of the instance of each pixel")
    if generator.style_dim is not None:
        shape = ("batch", generator.style_dim)
        return Input("style", "float32", shape, f"style vector: one of {_styles_of(encoder)}")
    if isinstance(generator, UNetGenerator) and generator.noisy_channels:
        return Input("kept", "bool", ("batch", "kept"), _dropout(generator))
    return None


def _styles_of(encoder: Encoder | None) -> str:
    """Where the vectors come from that the generator was trained on."""
    there = f"`styles` in {CONFIG}"
    if encoder is None:
        return f"{there}, or standard normal"
    if encoder.draws:
        return f"{there}, or the encoder's mean of a photo; a standard normal vector is mostly none of them"
    return f"{there}, the encoder's mean of a photo, or standard normal"


def _dropout(generator: UNetGenerator) -> str:
    """Which features there are, h and w being those of the padded map."""
    levels = range(generator.depth - 1, 0, -1)
    parts = [f"{c}·(h/{1 << d})·(w/{1 << d})" for c, d in zip(generator.noisy_channels, levels, strict=False)]
    share = 1 - generator.dropout
    return (
        f"features that dropout keeps, each with probability {share:g}; as many as {' + '.join(parts)}, where h and w "
        f"are height and width rounded up to multiples of {generator.multiple}"
    )


class Graph(nn.Module):
    """Takes the tensors of a :class:`Signature` in their order and gives (N, 3, H, W) in [-1, 1].

    Args:
        generator: stays as it is.
        semantics: how it reads its condition.
        encoder: see :func:`signature`.

    Raises:
        InputError: a generator that cannot be traced.
    """

    def __init__(self, generator: Generator, semantics: Semantics, encoder: Encoder | None = None) -> None:
        super().__init__()
        self.signature = signature(generator, semantics, encoder)
        self.semantics = semantics
        self.generator = traceable(generator, semantics).float()
        self.eval()

    def forward(self, *tensors: Tensor) -> Tensor:
        """See the class."""
        height, width = tensors[0].shape[-2:]
        given = {
            each.name: padded_to(tensor, self.signature.multiple) if each.spatial else tensor
            for each, tensor in zip(self.signature.inputs, tensors, strict=True)
        }
        photo: Tensor = self.generator(*self._arguments(given))
        return cropped_to(photo, height, width)

    def _arguments(self, given: dict[str, Tensor]) -> tuple[Any, Tensor | None]:
        """The condition and the style, as the generator takes them."""
        if "image" in given:
            return ImageMap(given["image"]), given.get("kept")
        assert isinstance(self.semantics, LabelSemantics)
        edges = edges_of(given["instances"]) if self.semantics.edges else None
        labels = TracedMap(given["labels"], self.semantics.num_classes, edges)
        if "noise" in given:
            return TracedNoise(labels, given["noise"]), None
        styles = [tensor for name, tensor in given.items() if name in ("style", "features", "kept")]
        return labels, styles[0] if styles else None

    def trace(self) -> ExportedProgram:
        """The program of torch.export, with symbols for batch, height and width.

        Raises:
            InputError: this version of PyTorch cannot trace the network.
        """
        dims = {name: Dim(name, min=1) for name in ("batch", "kept")}
        dims |= {name: Dim(name, min=self.signature.least) for name in ("height", "width")}
        shapes = tuple({i: dims[n] for i, n in enumerate(x.shape) if isinstance(n, str)} for x in self.signature.inputs)
        examples = self._examples()
        try:
            # Sizes are symbols even where the example's could be mistaken for 0 or 1.
            with torch.no_grad(), symbols.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
                return torch.export.export(self, examples, dynamic_shapes=(shapes,), strict=False)
        except (torch._dynamo.exc.UserError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"PyTorch {torch.__version__} cannot trace a {self._name()}: {reason}") from error

    def _name(self) -> str:
        return type(self.generator).__name__.replace("Traceable", "")

    def _examples(self) -> tuple[Tensor, ...]:
        """Inputs to trace with: a batch of 2, and two different sizes that are no multiples."""
        multiple = self.signature.multiple
        sizes = {"batch": 2, "height": 3 * multiple - 1, "width": 2 * multiple + 1}
        if isinstance(self.generator, UNetGenerator):
            padded = ImageMap(torch.empty(1, 1, 3 * multiple, 3 * multiple, device="meta"))
            sizes["kept"] = sum(self.generator._noise_sizes(padded))
        examples = []
        for each in self.signature.inputs:
            shape = [sizes[side] if isinstance(side, str) else side for side in each.shape]
            examples.append(torch.zeros(shape, dtype=getattr(torch, each.dtype)))
        return tuple(examples)


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """How much memory tensors take."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
