"""Shards: zip archives of samples, each image a file of the archive that any tool can unpack and look at.

Photos and condition images are lossless WebP, maps of ids deflated NumPy arrays. The format's own CRC-32 of each file
is compared whenever it is read, so no damaged byte reaches a network. Only the files of one sample are unpacked.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2i.data.paired import Sample
from i2i.errors import InputError

Array = NDArray[Any]

_FIELDS = ("photo", "labels", "instances", "condition")
_LONGEST_WEBP = 16383  # pixels of a side, by the format
_EFFORT = {"lossless": True, "exact": True, "method": 1, "quality": 20}
# methods above 1 save a few per cent and take several times as long; "exact" keeps colours where alpha is 0
_CONTENTS = "contents.json"
_DATE = (1980, 1, 1, 0, 0, 0)  # the same samples give the same bytes, whatever the clock says
# A flipped bit can name another compression, or an encryption: a RuntimeError of zipfile.
_DAMAGE = (
    zipfile.BadZipFile,
    RuntimeError,
    OSError,
    ValueError,
    KeyError,
    EOFError,
    struct.error,
    zlib.error,
    cv2.error,
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field


class Shard:
    """One archive, read a sample at a time. Safe in threads and forked workers: no file stays open.

    Args:
        path: the archive.
        cache: the identity of the cache that it must belong to; see :func:`write_shard`.

    Raises:
        InputError: the file is missing, no whole archive, or belongs to another cache.
    """

    def __init__(self, path: Path, cache: str) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                found = archive.comment.decode("ascii", "replace")
                contents: dict[str, Any] = json.loads(archive.read(_CONTENTS))
                self.names: list[str] = contents["names"]
                entries = [entry for entry in archive.infolist() if entry.filename != _CONTENTS]
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; the cache lacks a shard") from error
        except _DAMAGE as error:
            raise self._damaged(f"no whole archive ({error})") from error
        if len(found) < len(cache) and cache.startswith(found):  # the comment is the archive's end
            raise self._damaged("its end is missing")
        if found != cache:
            raise InputError(f"{path} is a shard of another cache; each cache needs folders of its own")
        # One place (offset, packed size, checksum) per sample and kind of file, -1 where there is none: millions of
        # small objects would take more room than the samples of a batch.
        self._kinds: list[str] = contents["kinds"]
        self._places = np.full((len(self.names), len(self._kinds), 3), -1, dtype=np.int64)
        expected = {_entry(i, kind): (i, k) for k, kind in enumerate(self._kinds) for i in contents["samples"][k]}
        if sorted(entry.filename for entry in entries) != sorted(expected):  # no checksum covers the directory
            raise self._damaged("its directory does not list the files that it should")
        for entry in entries:
            self._places[expected[entry.filename]] = entry.header_offset, entry.compress_size, entry.CRC

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> Sample:
        """One sample.

        Raises:
            InputError: it is damaged; the shard and the sample are named.
        """
        name = self.names[index]
        try:
            arrays = {what.split(".")[0]: _decode(what, content) for what, content in self._contents(index)}
        except _DAMAGE as error:
            raise self._damaged(f"the sample {name} ({error})") from error
        return Sample(name, **{field: arrays.get(field) for field in _FIELDS})

    def check(self) -> None:
        """Compare the checksums of all samples.

        Raises:
            InputError: one differs.
        """
        for index, name in enumerate(self.names):
            try:
                for _ in self._contents(index):
                    pass
            except _DAMAGE as error:
                raise self._damaged(f"the sample {name} ({error})") from error

    def _contents(self, index: int) -> Iterator[tuple[str, bytes]]:
        """What each file of a sample is, and its unpacked content, whose checksum was right."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            for what, (offset, size, checksum) in zip(self._kinds, self._places[index].tolist(), strict=True):
                if offset < 0:
                    continue
                header = os.pread(descriptor, 30, offset)
                signature, name, extra = _LOCAL_HEADER.unpack(header)
                if signature != b"PK\x03\x04":
                    raise ValueError("no file where the archive's directory says so")
                content = os.pread(descriptor, size, offset + 30 + name + extra)
                if _deflated(what):
                    content = zlib.decompress(content, wbits=-zlib.MAX_WBITS)
                if zlib.crc32(content) != checksum:
                    raise ValueError("a wrong checksum")
                yield what, content
        finally:
            os.close(descriptor)

    def _damaged(self, how: str) -> InputError:
        how = " ".join(how.split())
        return InputError(f"{self.path}: damaged, {how}; i2i data cache, run again, writes this shard anew")


def write_shard(file: BinaryIO, samples: Iterable[Sample], cache: str) -> None:
    """Write an archive.

    Args:
        file: open for writing.
        samples: in the order of their indices.
        cache: the identity of the cache; it becomes the archive's comment.
    """
    names: list[str] = []
    samples_of: dict[str, list[int]] = {}
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = cache.encode("ascii")
        for number, sample in enumerate(samples):
            names.append(sample.name)
            for field in _FIELDS:
                array = getattr(sample, field)
                if array is not None:
                    kind, content = _encode(field, array)
                    samples_of.setdefault(kind, []).append(number)
                    _add(archive, _entry(number, kind), content, _deflated(kind))
        contents = {"names": names, "kinds": list(samples_of), "samples": list(samples_of.values())}
        _add(archive, _CONTENTS, json.dumps(contents).encode(), True)


def _entry(number: int, kind: str) -> str:
    return f"{number:06d}.{kind}"


def _add(archive: zipfile.ZipFile, name: str, content: bytes, deflate: bool) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _deflated(what: str) -> bool:
    return not what.endswith(".webp")


def _encode(field: str, array: Array) -> tuple[str, bytes]:
    """What the file is called behind the sample's number, and its content."""
    image = array.ndim == 3 and array.shape[2] in (1, 3, 4) and max(array.shape) <= _LONGEST_WEBP
    stream = io.BytesIO()
    if not image:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        return f"{field}.npy", stream.getvalue()
    grey = array.shape[2] == 1
    # WebP codes colours as differences to green, so that three equal channels take the room of one
    picture = Image.fromarray(np.repeat(array, 3, axis=2) if grey else np.ascontiguousarray(array))
    picture.save(stream, "WEBP", **_EFFORT)
    return f"{field}{'.grey' * grey}.webp", stream.getvalue()


def _decode(what: str, content: bytes) -> Array:
    if not what.endswith(".webp"):
        return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))
    stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise ValueError("not WebP")
    if what.endswith(".grey.webp"):
        return np.ascontiguousarray(stored[:, :, :1])
    return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA if stored.shape[2] == 4 else cv2.COLOR_BGR2RGB))
