from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.data.datamodule import DataModule
from i2i.data.folder import Folder
from i2i.data.loading import Item, collate
from i2i.data.scenes import Scenes
from i2i.data.transforms import Fixed, Resize, ResizeAndCrop, ScaleWidthAndCrop
from i2i.metrics.data_digest import DataDigest, probe


def digest(batches: Sequence[Item]) -> str:
    metric = DataDigest()
    for batch in batches:
        metric.update(batch)
    found: str = metric.compute()
    return found


def of(root: Path, resize: Resize | None = None, limit: int | None = None, batch_size: int = 2) -> str:
    data = DataModule(Folder(str(root), val_share=0.75), resize or Fixed((40, 56)), batch_size=batch_size, workers=0)
    return digest(list(data.in_order("val", limit)))


@pytest.fixture
def copy(views: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(views, tmp_path / "elsewhere")
    for path in folder.rglob("*.png"):
        os.utime(path, (1, 1))
    return folder


def test_it_is_of_what_is_measured_and_not_of_where_it_lies(views: Path, copy: Path) -> None:
    assert len(of(views)) == 64
    assert of(views) == of(views, batch_size=4) == of(copy)
    assert of(views) != of(views, limit=8)


@pytest.mark.parametrize("folder", ["photos", "labels"])
@pytest.mark.parametrize("which", [0, 4, 8])
def test_a_change_of_any_photo_or_label_map_is_noticed(views: Path, copy: Path, folder: str, which: int) -> None:
    path = Folder(str(copy), val_share=0.75).split("val").pairs[which].condition
    path = copy / folder / path.name
    pixels = np.asarray(Image.open(path)).copy()
    pixels[20:24, 20:24] = 3 - pixels[20:24, 20:24] if folder == "labels" else 255 - pixels[20:24, 20:24]
    Image.fromarray(pixels).save(path)
    assert of(copy) != of(views)


def test_a_change_of_a_name_is_noticed(views: Path) -> None:
    split = DataModule(Folder(str(views)), Fixed((8, 8)), workers=0).dataset("val")
    items = [split[i] for i in range(len(split))]
    before = digest([collate(items)])
    items[-1]["name"] = "another"
    assert digest([collate(items)]) != before


def test_what_comes_to_its_size_alike_is_alike(views: Path) -> None:
    size = (40, 56)
    assert of(views, Fixed(size)) == of(views, ResizeAndCrop(size))
    assert of(views, Fixed(size)) != of(views, ScaleWidthAndCrop(size))


def test_procedural_data_of_another_seed_is_other_data() -> None:
    def scenes(seed: int) -> str:
        return digest(list(DataModule(Scenes((32, 32), val=3, seed=seed), Fixed((32, 32)), workers=0).in_order("val")))

    assert scenes(1) == scenes(1) != scenes(2)


def test_labels_of_any_type_instances_and_conditions_count() -> None:
    photo, labels = torch.zeros(1, 3, 4, 4), torch.ones(1, 4, 4, dtype=torch.uint8)
    one = {"name": ["a"], "photo": photo, "labels": labels}
    assert digest([one]) == digest([one | {"labels": labels.to(torch.int16)}])
    others = [
        one | {"instances": labels.int()},
        one | {"labels": labels + 1},
        one | {"labels": labels.reshape(1, 2, 8)},
        {"name": ["a"], "labels": labels},
        {"name": ["a"], "photo": photo, "condition": photo},
        {"name": ["a"], "photo": photo, "condition": photo[:, :1]},
    ]
    assert len({digest([batch]) for batch in [one, *others]}) == 7


def test_a_probe_reads_a_few_samples_and_all_names(views: Path, copy: Path) -> None:
    def probed(root: Path, first: int | None = None) -> str:
        return probe(
            DataModule(Folder(str(root), val_share=0.75), Fixed((8, 8)), workers=0).dataset("val", first=first)
        )

    assert probed(views) == probed(copy) != probed(views, first=8)
    first = Folder(str(copy), val_share=0.75).split("val").pairs[0]
    Image.new("RGB", (64, 64)).save(str(first.photo))
    assert probed(copy) != probed(views)
