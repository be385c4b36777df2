"""A shard gives back what was put in, or says that it is damaged: never other pixels, never another error."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from i2i.data.paired import Sample
from i2i.data.shards import Shard, write_shard
from i2i.errors import InputError

CACHE = "c0ffee"
SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def arrays(dtype: type, channels: st.SearchStrategy[int | None]) -> st.SearchStrategy[Any]:
    shapes = st.tuples(SIDES, channels).map(lambda given: given[0] if given[1] is None else (*given[0], given[1]))
    return hnp.arrays(dtype, shapes)


def same(a: Sample, b: Sample) -> bool:
    pairs = [(getattr(a, field), getattr(b, field)) for field in ("photo", "labels", "instances", "condition")]
    return a.name == b.name and all(
        x is y is None or (x is not None and y is not None and x.dtype == y.dtype and np.array_equal(x, y))
        for x, y in pairs
    )


def written(path: Path, samples: list[Sample]) -> Shard:
    with path.open("wb") as file:
        write_shard(file, samples, CACHE)
    return Shard(path, CACHE)


@settings(max_examples=40)
@given(
    name=st.text(max_size=300),
    photo=st.none() | arrays(np.uint8, st.just(3)),
    labels=st.none() | arrays(np.uint8, st.none()) | arrays(np.int16, st.none()),
    instances=st.none() | arrays(np.int32, st.none()),
    condition=st.none() | arrays(np.uint8, st.integers(1, 5)),
)
def test_every_sample_comes_back_bit_by_bit(tmp_path_factory: Any, name: str, **fields: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.zip"
    samples = [Sample("another", np.zeros((2, 2, 3), np.uint8), None), Sample(name, **fields)]
    shard = written(path, samples)
    shard.check()
    assert shard.names == ["another", name] and all(same(shard.read(i), samples[i]) for i in range(2))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Sample]]:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("shards") / "whole.zip"
    samples = [
        Sample(f"view{i}", random.integers(0, 256, (9, 7, 3)).astype(np.uint8), random.integers(0, 9, (9, 7)))
        for i in range(3)
    ]
    written(path, samples)
    return path.read_bytes(), samples


def test_any_tool_can_look_into_it(shard: tuple[bytes, list[Sample]], tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(shard[0])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        archive.extract("000001.labels.npy", tmp_path)
    assert np.array_equal(np.load(tmp_path / "000001.labels.npy"), shard[1][1].labels)


def test_the_same_samples_give_the_same_bytes(shard: tuple[bytes, list[Sample]], tmp_path: Path) -> None:
    written(tmp_path / "again.zip", shard[1])
    assert (tmp_path / "again.zip").read_bytes() == shard[0]


@settings(max_examples=300)
@given(data=st.data())
def test_no_damage_gives_other_pixels(
    shard: tuple[bytes, list[Sample]], tmp_path_factory: Any, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    content, samples = bytearray(shard[0]), shard[1]
    start = data.draw(st.integers(0, len(content) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=64))
    content[start : start + len(noise)] = noise
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), start + 1]))])
    try:
        found = Shard(path, CACHE)
        read = [found.read(i) for i in range(len(found))]
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)  # noqa: PT017 - one of both must hold
    else:  # the damage hit nothing that is read, as the times of files
        assert len(read) == 3 and all(map(same, read, samples))


def test_a_shard_of_another_cache_is_refused(shard: tuple[bytes, list[Sample]], tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(shard[0])
    with pytest.raises(InputError, match=r"a\.zip is a shard of another cache"):
        Shard(tmp_path / "a.zip", "other")
    with pytest.raises(InputError, match=r"b\.zip: no such file"):
        Shard(tmp_path / "b.zip", CACHE)
