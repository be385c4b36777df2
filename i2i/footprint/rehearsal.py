"""A rehearsal: programs run with tensors that have shapes and no values, and their memory is counted.

Floating-point tensors are PyTorch's fake ones, which no memory stands behind and on which nothing is computed, so a
step of any size takes seconds. Integers are real and computed: label maps decide about patterns, and so about shapes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from i2i.nn.compiled import only_shapes

_COUNTS_UP = (torch.ops.aten.arange.default, torch.ops.aten.arange.start, torch.ops.aten.arange.start_step)


class Rehearsal:
    """A context in which new floating-point tensors are fake, and all tensors are counted.

    Values of fake tensors that the program asks for are 1, or false: it must not depend on them.

    Args:
        as_gpu: whether mixed precision treats operations as on a GPU, where norms and some losses are computed in
            float32 and not in the half type.

    Attributes:
        live: bytes of the tensors that exist, those that views share counted once.
        most: the most there were at a time; may be set.
    """

    def __init__(self, as_gpu: bool = False) -> None:
        self.live = 0
        self.most = 0
        self._as_gpu = as_gpu
        self._known: Any = WeakIdKeyDictionary()

    def __enter__(self) -> Self:
        self._contexts = ExitStack()
        self._contexts.enter_context(only_shapes())
        self._contexts.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        self._contexts.enter_context(_Counted(self))
        if self._as_gpu:
            self._contexts.enter_context(_autocast_of_gpu())
        return self

    def __exit__(self, *error: Any) -> None:
        self._contexts.__exit__(*error)

    def take(self, tensor: Tensor) -> None:
        """Count a tensor until its memory is given back."""
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        weakref.finalize(storage, self._give, size).atexit = False
        self.live += size
        self.most = max(self.most, self.live)

    def _give(self, size: int) -> None:
        self.live -= size


class _Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs what has values with values, everything else without, and counts the results."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rehearsal = rehearsal

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """One operation."""
        kwargs = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        without = any(isinstance(tensor, FakeTensor) for tensor in inputs)
        if without and func is torch.ops.aten._local_scalar_dense.default:
            return inputs[0].dtype.is_floating_point * 1.0 or inputs[0].dtype != torch.bool
        if not inputs:
            without = func not in _COUNTS_UP and kwargs.get("dtype") in (None, *_FLOATS)
        if without:
            out = func(*args, **kwargs)
        else:
            with unset_fake_temporarily():
                out = func(*args, **kwargs)
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._rehearsal.take(leaf)
        return out


_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_IN_FLOAT32 = ("group_norm", "layer_norm", "softplus", "cross_entropy")


@contextmanager
def _autocast_of_gpu() -> Iterator[None]:
    """Within it these functions widen to float32 what autocast widens on a GPU alone.

    They are exchanged where they lie: a mode of torch functions would not be there when backward computes again.
    """
    own = {name: getattr(F, name) for name in _IN_FLOAT32}
    for name, function in own.items():
        setattr(F, name, partial(_widely, function))
    try:
        yield
    finally:
        for name, function in own.items():
            setattr(F, name, function)


def _widely(function: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    if not torch.is_autocast_enabled("cpu"):
        return function(*args, **kwargs)
    with torch.autocast("cpu", enabled=False):
        return function(*(_widened(a) for a in args), **{name: _widened(a) for name, a in kwargs.items()})


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
