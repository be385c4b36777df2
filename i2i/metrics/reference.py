"""The features of the real photos, kept on disk: they are the same for every model that is measured on a data set."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2i.checkpoint import load_tensors, write_atomically
from i2i.data.cache import CachedSplit
from i2i.data.files import state_of
from i2i.data.paired import FileSplit, FirstOf, Split
from i2i.errors import InputError

FORMAT = 1
_PROBES = 8  # photos that are read for the fingerprint


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/i2i``, by default ``~/.cache/i2i``."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "i2i"


def reference_features(
    key: Mapping[str, Any],
    compute: Callable[[], Tensor],
    folder: str | Path | None = None,
    say: Callable[[str], object] = print,
) -> Tensor:
    """The features of a set of real photos, from the cache or else computed and kept there.

    Args:
        key: plain data that all of them depend on: the photos, their size, the extractor.
        compute: makes the (n, d) features.
        folder: of the cache; by default ``reference`` in :func:`cache_folder`.
        say: takes a line where a file of the cache cannot be used, or not be written.
    """
    text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    path = (cache_folder() / "reference" if folder is None else Path(folder)) / f"{name}.pt"
    if path.exists():
        try:
            return _read(path, text)
        except InputError as error:
            say(f"{error}; the features of the real photos are computed anew")
    features = compute().detach().cpu().float()
    try:
        write_atomically(path, lambda file: torch.save({"key": text, "features": features}, file))
    except InputError as error:
        say(f"{path}: the features of the real photos could not be kept ({error}); they are computed again next time")
    return features


def fingerprint(split: Split) -> str:
    """SHA-256 that changes where the photos of a split do.

    It is made of all names, of the size and the time of change of each photo's file (of a cached split, of what the
    cache was made of), and of the pixels of a few photos spread over the split; so it is quick, and notices every
    change but one that forges times.

    Raises:
        InputError: the split is empty, or has label maps without photos.
    """
    if not len(split):
        raise InputError("the split has no photos to compare with")
    digest = hashlib.sha256()
    for index in range(len(split)):
        digest.update(os.fsencode(f"{split.name(index)}\n"))
    inner: Split = split
    while isinstance(inner, FirstOf):
        inner = inner.split
    if isinstance(inner, CachedSplit):
        digest.update(f"{inner.identity}\n".encode())
    elif isinstance(inner, FileSplit):
        for pair in inner.pairs[: len(split)]:
            if pair.photo is not None:
                digest.update(f"{state_of(pair.photo)}\n".encode())
    for index in np.unique(np.linspace(0, len(split) - 1, _PROBES).round().astype(int)):
        sample = split.read(int(index))
        if sample.photo is None:
            raise InputError(f"{sample.name}: no photo; the metrics compare with real photos, maps alone do not do")
        digest.update(np.ascontiguousarray(sample.photo).tobytes())
    return digest.hexdigest()


def _read(path: Path, text: str) -> Tensor:
    content = load_tensors(path)
    features = content.get("features")
    if content.get("key") != text or not isinstance(features, Tensor) or features.dim() != 2:
        raise InputError(f"{path}: not the features that it should hold")
    if not torch.isfinite(features).all():
        raise InputError(f"{path}: features that are not finite")
    return features
