"""What is written in C++ for the CPU (``csrc/``), compiled on this machine when it is first needed.

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
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

log = logging.getLogger(__name__)

_SOURCES = sorted((Path(__file__).parent / "csrc").glob("*.cpp"))

_INSTRUCTIONS = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}


_here = threading.local()


@contextmanager
def plain_operations() -> Iterator[None]:
    """Within it this thread uses torch's own operations alone, as on a machine without compiler or Triton."""
    before = only_plain_operations()
    _here.plain = True
    try:
        yield
    finally:
        _here.plain = before


def only_plain_operations() -> bool:
    """Whether this thread is within :func:`plain_operations`."""
    return getattr(_here, "plain", False)


@contextmanager
def only_shapes() -> Iterator[None]:
    """Within it this thread's tensors have shapes and no values: kernels return what has the right shape."""
    before = has_only_shapes()
    _here.shapes = True
    try:
        yield
    finally:
        _here.shapes = before


def has_only_shapes() -> bool:
    """Whether this thread is within :func:`only_shapes`."""
    return getattr(_here, "shapes", False)


@cache
def available() -> bool:
    """Whether ``torch.ops.i2i`` is there; compiles and loads it at the first call, and says in the log why not."""
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
    parts = [*(source.read_bytes() for source in _SOURCES), repr((torch.__version__, _flags())).encode()]
    key = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    # torch's folder, without asking its builder, whose import takes a second and may warn
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or cache_root / "torch_extensions")
    return root / "i2i" / f"i2i-{key}.so"


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
            "i2i_kernels",
            [str(source) for source in _SOURCES],
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
