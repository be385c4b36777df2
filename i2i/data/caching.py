"""Writing a cache: `i2i data cache`. Shards are made by several processes, each one whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from i2i.checkpoint import write_atomically
from i2i.data.cache import MANIFEST, Manifest, StoredSplit, find_shards, source_recipe
from i2i.data.files import state_of
from i2i.data.paired import FileSplit, Sample, Source, Split
from i2i.data.shards import Shard, write_shard
from i2i.data.transforms import Resize, stretch_map, stretch_photo
from i2i.errors import InputError
from i2i.recipe import recipe

if TYPE_CHECKING:  # processes that make shards start sooner without the trainer's library
    from i2i.data.datamodule import DataModule

_LOCK = ".lock"


@dataclass(frozen=True)
class Written:
    """What was done.

    Attributes:
        manifest: of the cache.
        samples: in all splits; those of splits that share their files count once.
        shards: of all splits.
        kept: how many of them were there already, whole.
        damaged: one line for each that was there, damaged, and was written anew.
        size: bytes of all shards.
    """

    manifest: Manifest
    samples: int
    shards: int
    kept: int
    damaged: list[str]
    size: int


def write_cache(
    data: DataModule,
    roots: Sequence[Path],
    splits: Sequence[str] = ("train", "val", "test"),
    shard: int = 256,
    processes: int = 1,
    progress: bool = True,
    say: Callable[[str], object] = print,
) -> Written:
    """Stretch all samples of a data set and keep them in shards.

    Run again after an interruption, or on a damaged cache, it reads what is there, keeps the whole shards, and writes
    the others.

    Args:
        data: the data set and its resize; its limits are not regarded.
        roots: folders to write to; the one on the emptiest disk gets the next shard.
        splits: of ``train``, ``val`` and ``test``.
        shard: samples in a shard.
        processes: that work at a time; 1 works in this one.
        progress: show a bar on the standard error output.
        say: takes a line of news.

    Raises:
        InputError: a sample is unusable, a folder holds something else or cannot be written to, or its disk is full.
    """
    if shard < 1 or processes < 1:
        raise InputError(f"shard is {shard} and the processes {processes}; allowed are 1 and more")
    roots = [root.expanduser() for root in roots]
    read = {name: data.original.split(name) for name in splits}
    manifest = describe(data.original, data.resize, read, shard)
    with _claimed(roots, manifest):
        own = {name: read[name] for name, split in manifest.splits.items() if not split.same_as}
        job = Job(own, manifest, data.resize, roots)
        wanted = [(name, number) for name in own for number in range(len(manifest.shards(name)))]
        say(f"{len(wanted)} shards of up to {shard} samples go to {', '.join(map(str, roots))}")
        there = find_shards(roots)
        given = [(name, number, there.get(manifest.shards(name)[number])) for name, number in wanted]
        done = list(_each(job, given, processes, progress))
    size = sum(path.stat().st_size for path in find_shards(roots).values())
    samples = sum(len(split) for split in own.values())
    damaged = [line for _, line in done if line is not None]
    return Written(manifest, samples, len(wanted), sum(kept for kept, _ in done), damaged, size)


def describe(source: Source, resize: Resize, splits: dict[str, Split], shard: int) -> Manifest:
    """The manifest of a cache of these splits."""
    stored: dict[str, StoredSplit] = {}
    for name, split in splits.items():
        files, training = _files(split), name == "train"
        twin = next((n for n, s in stored.items() if (s.files, s.training) == (files, training) and files), None)
        stored[name] = StoredSplit(len(split), training, files, twin)
    return Manifest(
        source=source_recipe(source),
        resize=recipe(resize),
        encoding=None if source.encoding is None else recipe(source.encoding),
        semantics=recipe(source.semantics),
        instances=source.has_instances,
        shard=shard,
        splits=stored,
    )


def stretch(sample: Sample, resize: Resize, training: bool) -> Sample:
    """The sample after the last step of its preparation that is not random."""

    def size(height: int, width: int) -> tuple[int, int]:
        return resize.stretched(height, width, training)

    photo, labels, instances, condition = sample.photo, sample.labels, sample.instances, sample.condition
    return Sample(
        sample.name,
        None if photo is None else stretch_photo(photo, size(*photo.shape[:2])),
        None if labels is None else stretch_map(labels, size(*labels.shape)),
        None if instances is None else stretch_map(instances, size(*instances.shape)),
        None if condition is None else stretch_photo(condition, size(*condition.shape[:2])),
    )


@dataclass
class Job:
    """Makes shards.

    Attributes:
        splits: what is read.
        manifest: what is made.
        resize: how samples are stretched.
        roots: where shards go.
    """

    splits: dict[str, Split]
    manifest: Manifest
    resize: Resize
    roots: list[Path]

    def __call__(self, name: str, number: int, there: Path | None) -> tuple[bool, str | None]:
        """Make sure that a shard is there and whole.

        Returns:
            Whether it was there already; what was wrong with the one that was there.
        """
        wrong = None
        if there is not None:
            try:
                Shard(there, self.manifest.identity).check()
                return True, None
            except InputError as error:
                wrong = str(error).partition("; ")[0]
        own, identity, first = self.manifest.shards(name)[number], self.manifest.identity, number % len(self.roots)
        root = max(self.roots[first:] + self.roots[:first], key=_room) if there is None else there.parent
        write_atomically(root / own, lambda file: write_shard(file, self._samples(name, number), identity))
        return False, wrong

    def count(self, name: str, number: int) -> int:
        """Samples in a shard."""
        return min(self.manifest.shard, len(self.splits[name]) - number * self.manifest.shard)

    def _samples(self, name: str, number: int) -> Iterator[Sample]:
        first = number * self.manifest.shard
        for index in range(first, first + self.count(name, number)):
            yield stretch(self.splits[name].read(index), self.resize, self.manifest.splits[name].training)


Given = tuple[str, int, Path | None]
"""A split, the number of a shard, and where it lies already."""


def _each(job: Job, given: Sequence[Given], processes: int, progress: bool) -> Iterator[tuple[bool, str | None]]:
    columns = (TextColumn("caching {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        tasks = {name: bar.add_task(name, total=len(split)) for name, split in job.splits.items()}
        for (name, number, _), result in _results(job, given, processes):
            bar.advance(tasks[name], job.count(name, number))
            yield result


def _results(job: Job, given: Sequence[Given], processes: int) -> Iterator[tuple[Given, tuple[bool, str | None]]]:
    if processes == 1:
        yield from ((one, job(*one)) for one in given)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that has threads may lock it up
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(job,))
    try:
        futures: dict[Future[tuple[bool, str | None]], Given] = {pool.submit(_work, one): one for one in given}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a process of the cache ended without a word, perhaps for lack of memory; run again with fewer --workers, "
            "it goes on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_job: Job | None = None


def _begin(job: Job) -> None:
    """Make a new process ready: it leaves Ctrl-C to the first one, and ends when that one does."""
    global _job
    _job = job
    cv2.setNumThreads(1)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def _work(given: Given) -> tuple[bool, str | None]:
    assert _job is not None
    return _job(*given)


def _room(root: Path) -> int:
    """Free space in steps of a gigabyte, so that folders on one disk count as equals."""
    return shutil.disk_usage(root).free >> 30


def _files(split: Split) -> str:
    """Digest of the files that a split is made of; empty for one that is not made of files."""
    if not isinstance(split, FileSplit):
        return ""
    digest = hashlib.sha256()
    for pair in split.pairs:
        digest.update(os.fsencode(f"{pair.name}\n"))
        for path in (pair.photo, pair.condition, pair.instances):
            if path is not None:
                digest.update(f"{state_of(path)}\n".encode())
    return digest.hexdigest()


@contextmanager
def _claimed(roots: Sequence[Path], manifest: Manifest) -> Iterator[None]:
    """Make sure that folders are new or were begun for this cache, and that nobody else writes to them meanwhile."""
    locks = []
    try:
        for root in roots:
            _claim(root, manifest)
            lock = (root / _LOCK).open("w")
            locks.append(lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in root.glob(".*-of-*.zip.*"):  # by a process that was killed
                left.unlink()
        yield
    except BlockingIOError as error:
        raise InputError(f"another i2i data cache is writing to {root}") from error
    except OSError as error:
        raise InputError(f"cannot write a cache to {root}: {error.strerror or error}") from error
    finally:
        for lock in locks:
            lock.close()


def _claim(root: Path, manifest: Manifest) -> None:
    if (root / MANIFEST).exists():
        theirs = Manifest.read(root)
        if theirs.identity != manifest.identity:
            changed = [name for name in manifest.splits if theirs.splits.get(name) != manifest.splits[name]]
            raise InputError(
                f"{root} holds the cache of another configuration, or of files that have changed since "
                f"({', '.join(changed) or 'other settings'}); name another folder, or delete it"
            )
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} exists and is no cache; name another folder")
    content = manifest.text.encode()
    write_atomically(root / MANIFEST, lambda file: file.write(content))
