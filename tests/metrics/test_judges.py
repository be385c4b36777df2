from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torchvision import models

from i2i.classes import ClassTable
from i2i.errors import InputError
from i2i.metrics.hashes import file_hash
from i2i.metrics.judge import Judge
from i2i.metrics.judges import HuggingFaceJudge, ProgramJudge, TorchvisionJudge, TrainedJudge
from i2i.metrics.segmentation import Segmentation

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ["sky", "tree", "road", "house"]


class Colours(nn.Module):
    """Knows the classes 0, 1, 2 by the strongest of three channels."""

    def forward(self, photo: Tensor) -> Tensor:
        return photo


def plain(network: nn.Module, **arguments: Any) -> Judge:
    return Judge(network, mean=[0, 0, 0], std=[1, 1, 1], **arguments)


def painted(labels: Tensor) -> Tensor:
    """(H, W) of 0, 1, 2 -> a photo (1, 3, H, W) in red, green and blue."""
    return torch.nn.functional.one_hot(labels, 3).permute(2, 0, 1)[None].float() * 2 - 1


def test_outputs_become_the_labels_of_their_names() -> None:
    seen = torch.randint(0, 3, (8, 8))
    judge = plain(Colours(), outputs=["house", "", "sky"])
    expected = torch.tensor([3, 4, 0])[seen]
    assert torch.equal(judge.read(painted(seen), NAMES)[0], expected)
    assert judge.unread(NAMES) == ["tree", "road"]


def test_outputs_without_names_are_labels_in_their_order() -> None:
    seen = torch.randint(0, 3, (8, 8))
    assert torch.equal(plain(Colours()).read(painted(seen), NAMES[:3])[0], seen)
    judge = plain(Colours(), first_label=1)
    assert torch.equal(judge.read(painted(seen), NAMES)[0], seen + 1)
    assert judge.unread(NAMES) == ["sky"]


def test_the_train_ids_of_cityscapes_become_its_label_ids() -> None:
    with (ROOT / "i2i/tables/cityscapes.csv").open() as file:
        table = [(int(row["id"]), int(row["train_id"])) for row in csv.DictReader(file)]
    outputs = yaml.safe_load((ROOT / "configs/judges/cityscapes_train_ids.yaml").read_text())["outputs"]

    class TrainIds(nn.Module):
        def forward(self, photo: Tensor) -> Tensor:
            return photo[:, 0].mul(255).round().long()

    names = ClassTable.load("cityscapes").names
    judge = plain(TrainIds(), outputs=outputs)
    for label, train_id in table:
        if train_id == 255:
            assert names[label] in judge.unread(names)
        else:
            photo = torch.full((1, 3, 2, 2), train_id / 127.5 - 1)
            assert judge.read(photo, names).unique().tolist() == [label]
    with pytest.raises(InputError, match=r"trainIds: configs/judges/cityscapes_train_ids\.yaml"):
        plain(nn.Conv2d(3, 19, 1)).read(torch.zeros(1, 3, 4, 4), names)


def test_photos_are_normalised_and_brought_to_the_judges_size() -> None:
    class Keeps(nn.Module):
        def forward(self, photo: Tensor) -> dict[str, Tensor]:
            self.seen = photo
            return {"out": photo}

    network = Keeps()
    judge = Judge(network, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.5], size=(16, 8))
    assert judge.read(torch.full((1, 3, 32, 32), 0.5), NAMES[:3]).shape == (1, 32, 32)
    assert network.seen.shape == (1, 3, 16, 8)
    torch.testing.assert_close(network.seen[0, :, 0, 0], torch.tensor([1.0, 1.0, 0.5]))
    about = judge.describe()
    assert about["judge size"] == "8x16, bilinear" and about["std"] == [0.25, 0.25, 0.5]


def test_coarse_logits_are_interpolated_before_the_largest_is_taken() -> None:
    coarse = torch.tensor([[[4.0, 0.0]], [[0.0, 1.0]]])[None]  # (1, 2, 1, 2): the first class is four times as sure

    class Coarse(nn.Module):
        def forward(self, photo: Tensor) -> Tensor:
            return coarse

    found = plain(Coarse()).read(torch.zeros(1, 3, 1, 20), NAMES[:2])[0, 0]
    # logits run linearly between the centres at 5 and 15: 4 - 0.4 x = 0.1 x at x = 8
    assert found.tolist() == [0] * 13 + [1] * 7


def test_programs_from_files(tmp_path: Path) -> None:
    network = nn.Conv2d(3, 4, 3, padding=1).eval()
    torch.jit.trace(network, torch.zeros(1, 3, 16, 16)).save(str(tmp_path / "script.pt"))
    torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 16, 16),)), str(tmp_path / "program.pt2"))
    photo = torch.rand(2, 3, 16, 16) * 2 - 1
    expected = Judge(network).read(photo, NAMES)
    assert len(expected.unique()) > 1
    for name in ("script.pt", "program.pt2"):
        assert torch.equal(ProgramJudge(str(tmp_path / name)).read(photo, NAMES), expected)


def test_networks_of_torchvision_from_files(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    network = models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4)
    torch.save(network.state_dict(), path)
    judge = TorchvisionJudge("lraspp_mobilenet_v3_large", str(path))
    photo = torch.rand(1, 3, 64, 64) * 2 - 1
    network.eval()
    assert torch.equal(judge.read(photo, NAMES), Judge(network).read(photo, NAMES))
    assert judge.describe()["judge sha256"] == file_hash(path)
    with pytest.raises(InputError, match=r"weights\.pth: not weights of fcn_resnet50"):
        TorchvisionJudge("fcn_resnet50", str(path))
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not the state dict of a segmentation network"):
        TorchvisionJudge("fcn_resnet50", str(path))


def test_an_auxiliary_head_in_the_file_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    network = models.get_model(
        "deeplabv3_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=4, aux_loss=True
    )
    torch.save(network.state_dict(), path)
    judge = TorchvisionJudge("deeplabv3_mobilenet_v3_large", str(path))
    assert judge.read(torch.zeros(1, 3, 32, 32), NAMES).shape == (1, 32, 32)


def test_networks_of_transformers_from_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.SegformerConfig(
        num_labels=4, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], decoder_hidden_size=8, num_attention_heads=[1] * 4
    )
    network = transformers.SegformerForSemanticSegmentation(config).eval()
    network.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 2]})
    )
    judge = HuggingFaceJudge(str(tmp_path))
    photo = torch.rand(1, 3, 64, 64) * 2 - 1
    expected = Judge(network, mean=[0.1, 0.2, 0.3], std=[1, 1, 2]).read(photo, NAMES)
    assert torch.equal(judge.read(photo, NAMES), expected)
    with pytest.raises(InputError, match="no such folder"):
        HuggingFaceJudge(str(tmp_path / "absent"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="not a semantic segmentation network of transformers"):
        HuggingFaceJudge(str(tmp_path))


def test_judges_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    photo = torch.zeros(1, 3, 4, 4)
    with pytest.raises(InputError, match="has 3 outputs and the data set 4 classes"):
        plain(Colours()).read(photo, NAMES)
    with pytest.raises(InputError, match="has 3 outputs, but 2 were named"):
        plain(Colours(), outputs=["sky", "tree"]).read(photo, NAMES)
    with pytest.raises(InputError, match="no class is called 'lake'; the classes are sky, tree"):
        plain(Colours(), outputs=["sky", "tree", "lake"]).read(photo, NAMES)
    with pytest.raises(InputError, match=r"the judge Flatten gives torch.float32 of shape \(1, 48\)"):
        plain(nn.Flatten())(photo)

    class Broken(nn.Module):
        def forward(self, photo: Tensor) -> Tensor:
            return photo / 0

    with pytest.raises(InputError, match="the judge Broken gives values that are NaN"):
        plain(Broken())(photo)
    torch.save({"i2i": {"format": 1}, "state_dict": {}}, tmp_path / "model.ckpt")
    with pytest.raises(InputError, match=r"model\.ckpt: no judge in this file; i2i train-judge makes one"):
        TrainedJudge(str(tmp_path / "model.ckpt"))


def test_reading_and_measuring_go_together() -> None:
    seen = torch.randint(0, 3, (16, 16))
    judge = plain(Colours(), outputs=["sky", "tree", "road"])
    metric = Segmentation(NAMES, judge.unread(NAMES), judge.describe())
    metric.update(seen[None], judge.read(painted(seen), NAMES))
    miou = metric.results()[0]
    assert miou.value == 100
    assert miou.protocol["ignored classes"] == ["house"] and miou.protocol["judge"] == "Colours"
