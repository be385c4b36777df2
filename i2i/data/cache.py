"""A cache of stretched samples: what every epoch would decode and resize anew, done once.

`i2i data cache` writes it (:mod:`i2i.data.caching`), ``DataModule(cache=…)`` and ``--data.cache FOLDER`` read it. A
sample is kept as it is after the last step that is not random, stretching; what follows (cropping, mirroring, colours,
and tensors) is done as without a cache, so that batches are the same to the bit.

The form is zip archives of lossless WebP and deflated NumPy arrays. What was compared, with 400 records of 150 kB:

========== ============= ========================= ============== ===================== ==========================
form       licence       size, needs               random access  ms to read a record   damaged sectors found
========== ============= ========================= ============== ===================== ==========================
zip        Python's own  none                      yes            0.04                  12 of 12 (CRC-32)
Arrow IPC  Apache-2.0    170 MB                    yes, mmap      0.02                  3 of 12
LMDB       OpenLDAP      2 MB                      yes, mmap      0.006                 1 of 12
WebDataset BSD-3         0.6 MB, braceexpand       no, a stream   –                     –
litdata    Apache-2.0    3.5 MB, boto3, obstore …  yes, chunks    –                     –
========== ============= ========================= ============== ===================== ==========================

Memory mapping saves less than 0.04 ms of the 2.5 ms that decoding a 512×256 sample takes, and gives damaged bytes away
as good ones. The order of samples is a permutation of the whole set, which resuming relies on and streams do not have.
Zip has a checksum per file in the format, is maintained with the language, and can be looked into with any tool.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2i.classes import LabelEncoding
from i2i.condition import Semantics
from i2i.data.paired import Sample, Source
from i2i.data.shards import Shard
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.recipe import build, difference, recipe

MANIFEST = "cache.json"
"""The file that says what a cache was made of; each of its folders has it."""

FORMAT = 1


@dataclass(frozen=True)
class StoredSplit:
    """What the manifest says of a split.

    Attributes:
        count: number of samples.
        training: whether they are stretched as in training.
        files: digest of the names, sizes and times of change of the files they were made of.
        same_as: the split whose shards serve, where both are made of the same files.
    """

    count: int
    training: bool
    files: str
    same_as: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What a cache was made of. Two caches of the same manifest hold the same samples.

    Attributes:
        source: recipe of the data set, without where it lies.
        resize: recipe of the stretching.
        encoding: recipe of the label encoding; None where the condition is an image.
        semantics: recipe of how a model reads the condition.
        instances: whether every sample has an instance map.
        shard: samples in a shard, but for the last one of a split.
        splits: by name.
    """

    source: Mapping[str, Any]
    resize: Mapping[str, Any]
    encoding: Mapping[str, Any] | None
    semantics: Mapping[str, Any]
    instances: bool
    shard: int
    splits: Mapping[str, StoredSplit]

    def __post_init__(self) -> None:
        numbers = [self.shard - 1, *(split.count for split in self.splits.values())]
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError("its numbers of samples are not right")
        if not {split.same_as for split in self.splits.values()} <= {None, *self.splits}:
            raise ValueError("a split refers to one that is not there")

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """The manifest in a folder.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        path = root / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise InputError(f"{path}: a cache of another version of i2i; make it anew with i2i data cache")
            splits = {name: StoredSplit(**one) for name, one in content.pop("splits").items()}
            return cls(**content, splits=splits)
        except FileNotFoundError as error:
            raise InputError(f"{root}: no cache (there is no {MANIFEST}); make one with i2i data cache") from error
        except InputError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"{path}: damaged ({reason}); make the cache anew in another folder") from error

    @cached_property
    def text(self) -> str:
        """As JSON; the file's content."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the manifest, which every shard carries."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def shards(self, split: str) -> list[str]:
        """The names of a split's shards, in order."""
        count = -(-self.splits[split].count // self.shard)
        return [f"{split}-{number:05d}-of-{count:05d}.zip" for number in range(count)]


def source_recipe(source: Source) -> dict[str, Any]:
    """The recipe of a data set, without where it lies and what does not change its samples.

    Raises:
        InputError: the class does not record its arguments.
    """
    try:
        found = recipe(source)
    except TypeError as error:
        raise InputError(f"a cache cannot tell what it was made of: {error}; decorate it with @recorded") from error
    found["arguments"] = {name: value for name, value in found["arguments"].items() if name not in source.incidental}
    return found


class CachedSource(Source):
    """The samples of a cache.

    Args:
        roots: the folders over which its shards are spread.
        source: the data set of the configuration; its files need not be there.
        resize: that of the configuration.

    Raises:
        InputError: there is no cache, it is of other data or another size, or shards are missing.
    """

    def __init__(self, roots: Sequence[str | Path], source: Source, resize: Resize) -> None:
        self.roots = [Path(root).expanduser() for root in roots]
        if not self.roots:
            raise InputError("cache is an empty list; name the folders of a cache, or null for none")
        manifests = [Manifest.read(root) for root in self.roots]
        self.manifest = manifests[0]
        for root, other in zip(self.roots, manifests, strict=True):
            if other.identity != self.manifest.identity:
                raise InputError(f"{root} and {self.roots[0]} hold different caches; their shards cannot be mixed")
        reason = difference({"source": source_recipe(source), "resize": recipe(resize)}, self._given(), "data")
        if reason:
            raise InputError(
                f"{self.roots[0]}: a cache of other samples: {reason.replace('in the file', 'there')}; make another "
                f"one with i2i data cache, or train without --data.cache"
            )
        self._paths = self._found()

    @property
    def encoding(self) -> LabelEncoding | None:  # type: ignore[override]  # read from the manifest
        """From the ids or colours of the label files to labels, as when the cache was made."""
        return None if self.manifest.encoding is None else build(self.manifest.encoding)

    @property
    def has_instances(self) -> bool:  # type: ignore[override]
        """Whether every sample carries an instance map."""
        return self.manifest.instances

    @property
    def semantics(self) -> Semantics:
        """How a model on this data reads its condition."""
        semantics: Semantics = build(self.manifest.semantics)
        return semantics

    def holds(self, name: str, training: bool) -> bool:
        """Whether the samples of a split are there as training, or evaluation, wants them stretched."""
        stored = self.manifest.splits.get(name)
        alike = build(self.manifest.resize).enlarge == 1
        return stored is not None and (alike or stored.training == training)

    def split(self, name: str) -> CachedSplit:
        """A split, its samples stretched.

        Raises:
            InputError: it is not in the cache.
        """
        if name not in self.manifest.splits:
            there = ", ".join(self.manifest.splits)
            raise InputError(f"{self.roots[0]}: the cache has no split {name!r}, only {there}")
        shards = self.manifest.splits[name].same_as or name
        return CachedSplit([self._paths[one] for one in self.manifest.shards(shards)], self.manifest, name)

    def _given(self) -> dict[str, Any]:
        return {"source": self.manifest.source, "resize": self.manifest.resize}

    def _found(self) -> dict[str, Path]:
        """Where each shard lies."""
        there, splits = find_shards(self.roots), self.manifest.splits.items()
        own = [name for name, split in splits if not split.same_as]
        wanted = [shard for name in own for shard in self.manifest.shards(name)]
        missing = [name for name in wanted if name not in there]
        if missing:
            raise InputError(
                f"{', '.join(map(str, self.roots))}: {len(missing)} of {len(wanted)} shards of the cache are missing, "
                f"for example {missing[0]}; run i2i data cache again, it goes on, or name all folders of the cache"
            )
        return there


class CachedSplit:
    """A split of a :class:`CachedSource`: samples as they are after stretching.

    Args:
        paths: its shards, in order.
        manifest: of the cache.
        name: of the split.
    """

    def __init__(self, paths: Sequence[Path], manifest: Manifest, name: str) -> None:
        self.paths = list(paths)
        self.identity = manifest.identity
        self._count = manifest.splits[name].count
        self._each = manifest.shard
        self._open: dict[int, Shard] = {}

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        """The name of a sample, without reading it."""
        shard, place = self._place(index)
        return shard.names[place]

    def read(self, index: int) -> Sample:
        """Read one sample; raises :class:`InputError`, which names the shard, where its checksum is wrong."""
        shard, place = self._place(index)
        return shard.read(place)

    def _place(self, index: int) -> tuple[Shard, int]:
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        number, place = divmod(index, self._each)
        if number not in self._open:
            self._open[number] = Shard(self.paths[number], self.identity)
            expected = min(self._each, self._count - number * self._each)
            if len(self._open[number]) != expected:
                raise InputError(f"{self.paths[number]}: {len(self._open[number])} samples; it should have {expected}")
        return self._open[number], place


def find_shards(roots: Sequence[Path]) -> dict[str, Path]:
    """The archives in the folders, by name."""
    return {path.name: path for root in reversed(roots) for path in sorted(root.glob("*-of-*.zip"))}
