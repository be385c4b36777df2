"""Modulation on the CPU: the kernels of ``csrc/modulate.cpp``, compiled on this machine when they are first needed.

The wheel stays pure Python. What is compiled lies in torch's folder for extensions, one per user
(``TORCH_EXTENSIONS_DIR``), under a name of source, torch version and instruction set: so machines that share the folder
do not disturb each other, and a later process loads it at once, needing neither compiler nor ninja.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from i2i.patterns import PixelRows

log = logging.getLogger(__name__)

TYPES = (torch.float32, torch.float64, torch.bfloat16)
"""The types of features that the kernels take. Compilers make no vector instructions of torch's float16."""

_SOURCE = Path(__file__).parent / "csrc" / "modulate.cpp"

_INSTRUCTIONS = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}


def forward(x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The modulated features, see :func:`i2i.nn.modulate.modulate`.

    Args:
        x: (N, h, w, C), contiguous; one of :data:`TYPES`.
        rows: the rows of the table at the pixels.
        table: (P, 2C), contiguous, in the type that x is computed in.
        slope: of the leaky ReLU; 1 for none.

    Returns:
        (N, H, W, C), contiguous, in x's type.
    """
    out: Tensor = torch.ops.i2i.modulate(x, rows.index, table, slope)
    return out


def backward_x(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (N, h, w, C) by x, from that by the output: ``grad`` (N, H, W, C), contiguous."""
    out: Tensor = torch.ops.i2i.modulate_backward_x(grad, x, rows.index, table, slope)
    return out


def backward_table(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (P, 2C) by the table, from that by the output: ``grad`` (N, H, W, C), contiguous."""
    out: Tensor = torch.ops.i2i.modulate_backward_table(grad, x, rows.index, rows.order, rows.offsets, table, slope)
    return out


@cache
def available() -> bool:
    """Whether the kernels are there; compiles and loads them at the first call, and says in the log why not."""
    try:
        _load()
    except Exception as problem:  # whatever goes wrong on the user's machine, there is another way
        log.warning("torch's own operations serve, slower, for want of compiled CPU kernels: %s", _reason(problem))
        return False
    return True


def _load() -> None:
    compiled = _place()
    if compiled.exists():
        torch.ops.load_library(str(compiled))  # type: ignore[no-untyped-call]
    else:
        _compile_and_load(compiled)


def _place() -> Path:
    key = hashlib.sha256(_SOURCE.read_bytes() + repr((torch.__version__, _flags())).encode()).hexdigest()[:16]
    # torch's folder, without asking its builder, whose import takes a second and may warn
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or cache_root / "torch_extensions")
    return root / "i2i" / f"modulate-{key}.so"


def _flags() -> list[str]:
    return ["-O3", "-fopenmp", *_INSTRUCTIONS.get(torch.backends.cpu.get_cpu_capability(), [])]


def _compile_and_load(place: Path) -> None:
    """Compile in a folder of this process's own, and move the result into place.

    So any number of processes may do it at once, and one that is killed leaves no lock for which the others would wait.
    """
    from torch.utils import cpp_extension  # late: the cached kernels do without it

    compiler = cpp_extension.get_cxx_compiler()  # type: ignore[no-untyped-call]
    if shutil.which(compiler) is None:
        raise FileNotFoundError(f"no C++ compiler {compiler!r} (CXX names another)")
    log.info("compiling the CPU kernels, once, into %s", place.parent)
    place.parent.mkdir(parents=True, exist_ok=True)
    # torch's own OpenMP, by its path: with another one beside it, two pools of threads would compete
    openmp = [str(library) for library in (Path(torch.__file__).parent / "lib").glob("libgomp*")]
    with tempfile.TemporaryDirectory(dir=place.parent, ignore_cleanup_errors=True) as folder, _ninja_on_path():
        built = cpp_extension.load(
            "modulate",
            str(_SOURCE),
            extra_cflags=_flags(),
            extra_ldflags=openmp or ["-fopenmp"],
            build_directory=folder,
            is_python_module=False,
        )
        Path(built).replace(place)


@contextmanager
def _ninja_on_path() -> Iterator[None]:
    """torch looks for ninja on the PATH, where the scripts of an environment that is not activated are not."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([before, sysconfig.get_path("scripts")])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _reason(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()] or [type(problem).__name__]
    return next((line for line in lines if "error: " in line), lines[-1])
