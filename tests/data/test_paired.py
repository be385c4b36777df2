"""Matching files into pairs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.holdout import shuffled_by_name
from i2i.data.paired import FileSplit, FirstOf, Pair, find_images, match
from i2i.errors import InputError

ENCODING = LabelEncoding(ClassTable.numbered(4))


def named(folder: str, *names: str) -> dict[str, Path]:
    return {name: Path(folder) / f"{name}.png" for name in names}


def test_pairs_and_files_without_partner() -> None:
    listing = match(named("l", "a", "b", "c"), named("p", "b", "c", "d"), named("i", "a", "b"), "")
    assert [pair.name for pair in listing.pairs] == ["b"]
    assert [re.findall(r"\w/\w\.png", line)[0] for line in listing.problems] == ["l/a.png", "l/c.png", "p/d.png"]


def test_label_maps_alone_are_a_split() -> None:
    listing = match(named("l", "a", "b"), {}, None, "")
    assert [pair.photo for pair in listing.pairs] == [None, None] and not listing.problems


@pytest.mark.parametrize(
    ("labels", "photos", "instances"),
    [({}, named("p", "a"), None), (named("l", "a"), named("p", "b"), None), (named("l", "a"), {}, {})],
)
def test_nothing_to_match_is_an_error_that_shows_the_layout(labels: dict, photos: dict, instances: dict | None) -> None:
    with pytest.raises(InputError, match="expected so"):
        match(labels, photos, instances, "expected so")


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"a\.jpg and .*a\.png share the name 'a'"):
        find_images(tmp_path)


def test_files_that_differ_in_size_are_both_named(write, ids) -> None:
    labels, photo = write("l.png", ids(4)), write("p.png", size=(12, 18))
    with pytest.raises(InputError, match=r"p\.png is 18x12 pixels, its label map .*l\.png is 16x12"):
        FileSplit([Pair("a", photo, labels)], ENCODING).read(0)
    instances = write("i.png", ids(9, (13, 16)))
    with pytest.raises(InputError, match=r"i\.png is 16x13 pixels"):
        FileSplit([Pair("a", None, labels, instances)], ENCODING).read(0)


def test_the_first_of_a_split(write, ids) -> None:
    split = FileSplit([Pair(n, None, write(f"{n}.png", ids(4, seed=s))) for s, n in enumerate("abc")], ENCODING)
    first = FirstOf(split, 2)
    assert len(first) == 2 and len(FirstOf(split, 9)) == 3
    assert first.name(1) == "b" and (first.read(1).labels == split.read(1).labels).all()


def test_the_order_by_digest_is_a_function_of_name_and_seed() -> None:
    names = [f"photo_{i}" for i in range(200)]
    order = shuffled_by_name(names, 0)
    assert order == shuffled_by_name(names[::-1], 0)
    assert order != shuffled_by_name(names, 1) and order != names
    assert sorted(order) == sorted(names)
    # as SHA-256 of "0/photo_…" by any other implementation says (coreutils' sha256sum)
    assert shuffled_by_name(["photo_0", "photo_1", "photo_2"], 0) == ["photo_2", "photo_0", "photo_1"]
    assert [name for name in order if name in names[:20]] == shuffled_by_name(names[:20], 0)
    assert np.isclose(np.mean([names.index(name) for name in order[:100]]), 99.5, atol=20)
