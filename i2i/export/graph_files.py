"""Graphs as files: ONNX, and the programs of torch.export. And how to run them again."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

import i2i
from i2i.errors import InputError
from i2i.export.graph import OUTPUT, Graph, bytes_of

Run = Callable[[Sequence[Tensor]], Tensor]
"""Runs a graph on its inputs, in their order."""

_LARGEST_ONNX = 2**31 - 2**20  # a protobuf cannot be larger
_PACKAGES = ("onnx", "onnxscript")


def check_packages() -> None:
    """Raise :class:`InputError` where ONNX files cannot be written."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(f"--format onnx needs {' and '.join(missing)}: pip install 'i2i[onnx]'")


def write_onnx(path: Path, graph: Graph, program: ExportedProgram) -> None:
    """Write a graph as ONNX; its signature is in the file, too.

    Args:
        path: the file.
        graph: what was traced.
        program: what :meth:`Graph.trace` returned.

    Raises:
        InputError: packages are missing, the weights are too large for one file, or an operator has no counterpart.
    """
    check_packages()
    size = bytes_of(program.state_dict.values())
    if size > _LARGEST_ONNX:
        raise InputError(f"the weights are {size / 2**30:.1f} GiB; an ONNX file holds 2 at most. Use torch-export")
    with _quiet():
        try:
            made = torch.onnx.export(
                program, (), dynamo=True, input_names=graph.signature.names, output_names=[OUTPUT], verbose=False
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            raise InputError(f"PyTorch {torch.__version__} has no ONNX for this network; use torch-export") from error
        assert made is not None
        _name_sizes(made.model, graph)
        made.model.doc_string = f"i2i {i2i.__version__}: semantic image synthesis"
        made.model.metadata_props["i2i"] = json.dumps(graph.signature.to_json())
        made.save(str(path), external_data=False)


def _name_sizes(model: Any, graph: Graph) -> None:
    """Give the variable sizes their names: batch, height, width."""
    names: dict[str, str] = {}
    for value, each in zip(model.graph.inputs, graph.signature.inputs, strict=True):
        named = zip(value.shape, each.shape, strict=True)
        names |= {str(dim.value): side for dim, side in named if isinstance(side, str)}
        value.doc_string = each.meaning
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    values = [*model.graph.inputs, *(output for node in model.graph for output in node.outputs)]
    for value in values:
        for place, dim in enumerate(value.shape or ()):
            if not isinstance(dim, int) and dim.value is not None:
                value.shape[place] = pattern.sub(lambda found: names[found[1]], dim.value)


def load_onnx(path: Path) -> Run | None:
    """Runs an ONNX file on the CPU; None where onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> Tensor:
        feed: Mapping[str, Any] = {n: x.numpy() for n, x in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run([OUTPUT], feed)[0])

    return run


def write_program(path: Path, program: ExportedProgram) -> None:
    """Write a program of torch.export."""
    made = io.BytesIO()  # torch ends the whole process where it cannot close a file, as on a full disk
    with _quiet():
        torch.export.save(program, made)
    path.write_bytes(made.getbuffer())


def load_program(path: Path) -> Run:
    """Runs such a file."""
    with _quiet():
        module = torch.export.load(str(path)).module()

    def run(inputs: Sequence[Tensor]) -> Tensor:
        with torch.no_grad():
            photo: Tensor = module(*inputs)
        return photo

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say to their developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
