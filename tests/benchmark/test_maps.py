"""The maps of the benchmark: which files are read, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.benchmark.maps import MapSet, noise, read_maps
from i2i.errors import InputError
from i2i.semantics import LabelSemantics, instance_edges


def save(path: Path, ids: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(ids)).save(path)


def test_maps_of_cityscapes_take_the_instances_beside_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 34, (64, 128)).astype(np.uint8)
    instances = random.integers(0, 3, (64, 128)).astype(np.uint16)
    save(tmp_path / "aachen/x_gtFine_labelIds.png", labels)
    save(tmp_path / "aachen/x_gtFine_instanceIds.png", instances)
    maps = read_maps(tmp_path, "cityscapes", (64, 128), batch=2, count=5)
    assert (len(maps), maps.batch, maps.size, maps.semantics.channels) == (1, 2, (64, 128), 36)
    assert maps.upsamplings == 6 and maps.sizes[0] == (1, 2)
    semantics = maps.fresh(0)
    assert (semantics.labels[1].numpy() == labels).all()
    assert semantics.edges is not None
    assert torch.equal(semantics.edges[0], instance_edges(torch.tensor(instances.astype(int))[None])[0])


def test_maps_are_stretched_batched_and_limited(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"m{i}.png", np.full((32, 50), i, np.uint8))
    maps = read_maps(tmp_path, "ade20k", (64, 64), batch=2, count=3)
    assert [m.shape for m in maps.labels] == [(2, 64, 64)] * 2
    assert [int(m) for batch in maps.labels for m in batch[:, 0, 0]] == [0, 1, 2, 0]
    assert maps.semantics.channels == 151 and maps.fresh(0).edges is None


def test_given_instances_are_matched_by_name(tmp_path: Path) -> None:
    save(tmp_path / "maps/a.png", np.zeros((64, 64), np.uint8))
    save(tmp_path / "ids/a.png", np.repeat(np.arange(2, dtype=np.uint8), 32)[None].repeat(64, 0))
    maps = read_maps(tmp_path / "maps", "camvid", (64, 64), 1, 1, tmp_path / "ids")
    edges = maps.fresh(0).edges
    assert edges is not None and edges[0, 0].nonzero().flatten().tolist() == [31, 32]
    save(tmp_path / "maps/b.png", np.zeros((64, 64), np.uint8))
    with pytest.raises(InputError, match=r"b\.png: no instance map"):
        read_maps(tmp_path / "maps", "camvid", (64, 64), 1, 2, tmp_path / "ids")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("ADEChallengeData2016/annotations", "ade20k"),
        ("cityscapes/gtFine/val", "cityscapes"),
        ("coco_stuff/stuffthingmaps/val2017", "coco_stuff"),
        ("camvid/testannot", "camvid"),
    ],
)
def test_real_maps_are_read(shared: Path, folder: str, kind: str) -> None:
    maps = read_maps(shared / "data" / folder, kind, (64, 128), batch=1, count=2)
    assert len(maps) == 2
    assert (maps.instances is not None) == (kind in ("cityscapes", "coco_stuff"))
    assert maps.fresh(0).channels == {"ade20k": 151, "cityscapes": 36, "coco_stuff": 184, "camvid": 12}[kind]


def test_noise_has_a_pattern_per_pixel_and_the_classes_of_its_model() -> None:
    like = MapSet("x", LabelSemantics(20, edges=True), [torch.zeros(2, 64, 64, dtype=torch.uint8)])
    random = noise(like, seed=0)
    assert random.batch == 2 and random.size == (64, 64)
    counts = random.fresh(0).patterns(64, 64).counts
    assert counts.inner == counts.outer == counts.pixels
    assert torch.equal(random.labels[0], noise(like, seed=0).labels[0])
