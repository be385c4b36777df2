from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.cli import main
from i2i.data.datamodule import DataModule
from i2i.data.folder import Folder
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.judge import JudgeTrainer
from i2i.metrics.judges import TrainedJudge
from i2i.metrics.segmentation import Segmentation
from i2i.nn.segmentation import SegmentationNetwork
from i2i.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent
CONFIG = str(ROOT / "tests/conf/folder.yaml")


def train(pairs: Path, out: Path, *flags: str) -> int:
    common = ["-c", CONFIG, "--data.source.root", str(pairs), "--accelerator", "cpu", "--width", "8", "--lr", "0.01"]
    return main(["train-judge", str(out), *common, *flags])


@pytest.fixture(scope="module")
def judge(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judge") / "judge.ckpt"
    assert train(pairs, path, "--epochs", "30", "--ignore", "house") == 0
    return path


def validation(pairs: Path) -> DataModule:
    return DataModule(Folder(str(pairs)), Fixed((64, 64)), batch_size=1, workers=0)


def test_a_trained_judge_knows_the_photos_and_says_how_well(judge: Path, pairs: Path) -> None:
    trained = TrainedJudge(str(judge))
    data = validation(pairs)
    names = data.encoding.classes.names
    metric = Segmentation(names, trained.unread(names), trained.describe())
    for batch in data.val_dataloader():
        metric.update(batch["labels"], trained.read(batch["photo"], names))
    results = metric.results()
    assert trained.unread(names) == ["house"]
    assert results[0].value > 60  # four flat colours
    for result in results:
        assert result.value == pytest.approx(trained.measured[result.name])
    assert results[0].protocol["judge's own mIoU"] == trained.measured["mIoU"]


def test_photos_that_do_not_show_their_maps_are_judged_badly(judge: Path, pairs: Path) -> None:
    trained = TrainedJudge(str(judge))
    data = validation(pairs)
    names = data.encoding.classes.names
    metric = Segmentation(names, ["house"], {})
    for batch in data.val_dataloader():
        metric.update((batch["labels"] + 1) % 4, trained.read(batch["photo"], names))
    assert metric.results()[0].value < 0.1 * trained.measured["mIoU"]


def test_training_is_a_function_of_the_seed(pairs: Path, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert train(pairs, tmp_path / name, "--epochs", "1", "--seed", seed) == 0
        weights.append(torch.load(tmp_path / name, weights_only=True)["state_dict"]["judge.stem.0.0.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_pixels_of_ignored_and_unknown_classes_teach_nothing(pairs: Path) -> None:
    encoding = Folder(str(pairs)).encoding
    trainer = JudgeTrainer(SegmentationNetwork(4, width=4), encoding, ignored=["tree"])
    photo = torch.randn(1, 3, 32, 32)
    labels = torch.ones(1, 32, 32, dtype=torch.uint8)
    labels[:, :, 16:] = 2
    trainer.log = lambda *_, **__: None  # type: ignore[assignment, method-assign]
    trainer.judge.eval()
    loss = trainer.training_step({"photo": photo, "labels": labels, "name": ["a"]}, 0)
    logits = torch.nn.functional.interpolate(trainer.judge(photo), (32, 32), mode="bilinear")
    expected = -logits.log_softmax(1)[0, 2, :, 16:].mean()
    torch.testing.assert_close(loss, expected)


def test_what_cannot_work_is_said_in_one_line(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*flags: str) -> str:
        assert train(pairs, tmp_path / "judge.ckpt", *flags) == 1
        return capsys.readouterr().err

    assert "ignored classes: no class is called 'lake'" in refused("--ignore", "lake")
    assert "--epochs is 0; allowed are 1 and more" in refused("--epochs", "0")
    assert "--lr is 7.0" in refused("--lr", "7")
    assert train(pairs, tmp_path) == 1
    assert "is a folder; name the file to write" in capsys.readouterr().err
    (tmp_path / "file").touch()
    with monkeypatch.context() as before_training:
        before_training.setattr(JudgeTrainer, "training_step", lambda *_: pytest.fail("work that is lost"))
        assert train(pairs, tmp_path / "file/judge.ckpt", "--epochs", "1") == 1
    assert f"{tmp_path / 'file/judge.ckpt'}: cannot be written: " in capsys.readouterr().err
    maps = tmp_path / "maps"
    (maps / "labels").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(maps / f"labels/{i}.png")
    (maps / "classes.csv").write_text((pairs / "classes.csv").read_text())
    assert train(maps, tmp_path / "judge.ckpt") == 1
    assert "the training split has no photos" in capsys.readouterr().err


def test_a_judge_is_no_model_that_paints(judge: Path) -> None:
    with pytest.raises(InputError, match=r"judge\.ckpt: no generator in this file"):
        Synthesizer.load(judge)
