"""pix2pixHD through the real command line: both stages, resumed, with instance features, to pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.cli import main
from i2i.commands.data import read_data
from i2i.errors import InputError
from i2i.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent.parent
CONF = ROOT / "tests/conf"
FEATURES = ["-c", str(ROOT / "configs/options/instance_features.yaml"), "--model.encoder.width", "2"]
FEATURES += ["--model.encoder.downsamplings", "2", "--model.encoder.gain", "0.3"]


@pytest.fixture(scope="module")
def instances(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pairs, with instances: every region of a label in each quarter of the map."""
    folder = tmp_path_factory.mktemp("instances")
    for name in ("photos", "labels"):
        (folder / name).symlink_to(pairs / name)
    (folder / "classes.csv").write_text((pairs / "classes.csv").read_text())
    (folder / "instances").mkdir()
    quarter = np.kron(np.arange(4).reshape(2, 2), np.ones((32, 32)))
    for path in (pairs / "labels").iterdir():
        ids = np.asarray(Image.open(path)).astype(int) * 1000 + quarter
        Image.fromarray(ids.astype(np.uint16)).save(folder / "instances" / path.name)
    return folder


def fit(config: str, root: Path, run: Path, *flags: str) -> int:
    return main(["fit", "-c", str(CONF / config), "--data.source.root", str(root), "--run", str(run), *flags])


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("i2i: error:") and error.count("\n") == 1, error
    return error


@pytest.fixture(scope="module")
def coarse(instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first stage, left after one epoch and resumed."""
    run = tmp_path_factory.mktemp("runs") / "coarse"
    assert fit("pix2pixhd.yaml", instances, run, *FEATURES, "--trainer.max_epochs", "1") == 0
    assert fit("pix2pixhd.yaml", instances, run, *FEATURES, "--resume", "auto") == 0
    return run


@pytest.fixture(scope="module")
def fine(coarse: Path, instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second stage, left when the coarse network was still frozen, and resumed."""
    run = tmp_path_factory.mktemp("runs") / "fine"
    start = ["--start_from", str(coarse / "checkpoints/last.ckpt")]
    flags = [*FEATURES, "--model.generator.feature_channels", "3"]
    assert fit("pix2pixhd_enhancer.yaml", instances, run, *flags, *start, "--trainer.max_epochs", "1") == 0
    before, after = weights(coarse), weights(run)
    names = [name for name in before if name.startswith("average.trunk.")]
    for name in names:  # frozen, so still what the first stage had learned, in the average as well
        for network in ("average.coarse.", "generator.coarse."):
            assert torch.equal(after[name.replace("average.trunk.", network)], before[name]), name
    assert fit("pix2pixhd_enhancer.yaml", instances, run, *flags, *start, "--resume", "auto") == 0
    still = [n for n in names if torch.equal(weights(run)[n.replace("average.trunk.", "generator.coarse.")], before[n])]
    assert names and not [name for name in still if "weight" in name]
    return run


@pytest.fixture(scope="module")
def model(fine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second stage with clusters."""
    out = tmp_path_factory.mktemp("models") / "model.ckpt"
    arguments = ["cluster-features", str(fine / "checkpoints/last.ckpt"), str(out), "-c", str(fine / "config.yaml")]
    assert main([*arguments, "--clusters", "2"]) == 0
    return out


def test_what_was_taken_is_said(
    coarse: Path, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["--start_from", str(coarse / "checkpoints/last.ckpt"), "--trainer.max_epochs", "1"]
    assert fit("pix2pixhd_enhancer.yaml", instances, tmp_path / "run", *FEATURES, *start) == 0
    said = capsys.readouterr().out
    assert "generator: coarse taken; its last layer not; new: enhancers.0, last (averaged weights)" in said
    assert "discriminator: its 2 scales taken for the coarsest; new: the 1 finest" in said
    assert "encoder: taken as a whole" in said
    assert f"Next: i2i cluster-features {tmp_path / 'run/checkpoints/last.ckpt'} MODEL -c" in said


def test_previews_are_drawn_in_both_stages(coarse: Path, fine: Path) -> None:
    for run, side in ((coarse, 32), (fine, 64)):
        assert Image.open(run / "previews/epoch_0002.png").width >= 3 * side


def test_the_clusters_are_those_of_a_direct_computation(model: Path, fine: Path) -> None:
    """Every centre is the mean of the instances that are nearest to it, and all instances are counted."""
    synthesizer, data = Synthesizer.load(model), read_data([str(fine / "config.yaml")], [])
    found: dict[int, list[torch.Tensor]] = {}
    split = data.source.split("train")
    for index in range(len(split)):
        sample = split.read(index)
        assert sample.photo is not None and sample.instances is not None
        features = synthesizer.instance_features(sample.photo, sample.labels, sample.instances)
        for number, vector in features.items():
            found.setdefault(number // 1000, []).append(vector)
    encoder = synthesizer.encoder
    assert encoder is not None and set(encoder.cluster_classes.tolist()) == set(found)
    for label, vectors in found.items():
        own = encoder.cluster_classes == label
        assert int(own.sum()) == 2 and int(encoder.cluster_counts[own].sum()) == len(vectors)
        points, centres = torch.stack(vectors), encoder.cluster_centres[own]
        nearest = torch.cdist(points, centres).argmin(1)
        for k in range(2):
            torch.testing.assert_close(centres[k], points[nearest == k].mean(0), rtol=1e-4, atol=1e-5)
            assert int(encoder.cluster_counts[own][k]) == int((nearest == k).sum())


def test_clustering_twice_gives_the_same_file(model: Path, fine: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.ckpt"
    arguments = ["cluster-features", str(fine / "checkpoints/last.ckpt"), str(again), "-c", str(fine / "config.yaml")]
    assert main([*arguments, "--clusters", "2", "--seed", "0"]) == 0
    one, two = (torch.load(path, weights_only=True) for path in (model, again))
    assert one["i2i"] == two["i2i"] and all(torch.equal(t, two["state_dict"][n]) for n, t in one["state_dict"].items())
    assert set(one) == {"i2i", "state_dict"} and any(name.startswith("average.") for name in one["state_dict"])


def test_the_model_synthesises_without_a_photo(model: Path, instances: Path, tmp_path: Path) -> None:
    arguments = ["synthesize", str(model), str(instances / "labels"), str(tmp_path / "out")]
    assert main([*arguments, "--instances", str(instances / "instances"), "--seed", "3", "--count", "2"]) == 0
    pictures = sorted((tmp_path / "out").iterdir())
    assert len(pictures) == 12
    first, second = (np.asarray(Image.open(path)) for path in pictures[:2])
    assert first.shape == (64, 64, 3) and not np.array_equal(first, second)


def test_control_of_single_instances(model: Path, instances: Path) -> None:
    synthesizer = Synthesizer.load(model)
    name = sorted(p.stem for p in (instances / "labels").iterdir())[0]
    labels, ids = synthesizer.read(instances / f"labels/{name}.png", instances / f"instances/{name}.png")
    assert ids is not None
    number = int(ids.unique()[0])
    drawn = synthesizer(labels, ids, seed=1)
    assert np.array_equal(drawn, synthesizer(labels, ids, seed=1))
    assert not np.array_equal(drawn, synthesizer(labels, ids, seed=2))
    changed = synthesizer(labels, ids, seed=1, features={number: [1.0, -1.0, 0.5]})
    assert not np.array_equal(drawn, changed)

    photo = np.asarray(Image.open(instances / f"photos/{name}.jpg"))
    by_photo = synthesizer(labels, ids, style=photo)
    own = synthesizer.instance_features(photo, labels[0], ids[0])
    assert set(own) == set(ids.unique().tolist())
    assert np.array_equal(by_photo, synthesizer(labels, ids, features=own))
    assert np.array_equal(changed, synthesizer(labels, ids, seed=1, features={number: torch.tensor([1.0, -1.0, 0.5])}))
    by_class = synthesizer(labels, style=photo, features={int(labels[0, 0, 0]): [0.0, 0.0, 0.0]})
    assert by_class.shape == (1, 64, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": {123456: [0.0, 0.0, 0.0]}}, "features are given for instance 123456, which is not in the map"),
        ({"features": {0: [0.0, 0.0]}}, "the features of instance 0 are .*; 3 numbers are needed"),
        ({"features": {0: [0.0, 0.0, float("nan")]}}, "3 numbers are needed"),
        ({"style": np.zeros((32, 64, 3), np.uint8), "labels": np.zeros((1, 48, 48), int)}, "its label map 48 x 48"),
        ({"style": torch.zeros(3)}, "this model's style is no vector"),
    ],
)
def test_features_that_cannot_be(model: Path, arguments: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"labels": np.zeros((1, 64, 64), int), "seed": 0} | arguments
    with pytest.raises(InputError, match=message):
        Synthesizer.load(model)(**given)  # type: ignore[arg-type]


def test_odd_sizes_are_padded(model: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (1, 70, 50))
    photo = np.random.default_rng(1).integers(0, 256, (70, 50, 3)).astype(np.uint8)
    synthesizer = Synthesizer.load(model)
    assert synthesizer(labels, seed=0).shape == synthesizer(labels, style=photo).shape == (1, 70, 50, 3)


def test_without_clusters_it_is_said_what_to_do(
    fine: Path, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = str(fine / "checkpoints/last.ckpt")
    assert main(["synthesize", last, str(instances / "labels"), str(tmp_path / "out")]) == 1
    assert "i2i cluster-features" in one_line(capsys)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "nowhere.ckpt"}, "nowhere.ckpt: no such file"),
        ({"out": "model.ckpt"}, "model.ckpt is the model itself"),
        ({"flags": ["--clusters", "0"]}, "--clusters is 0"),
        ({"flags": ["--smallest", "1.5"]}, "--smallest is 1.5"),
        ({"flags": ["--smallest", "0.9"]}, "no instance covers 0.9 of a picture"),
        ({"flags": ["--data.source.instances", "false"]}, "trained on 4 classes with instances"),
        ({"flags": ["--device", "cuda:99"]}, "'cuda:99' cannot be used here"),
        ({"flags": ["--nonsense", "1"]}, "nonsense"),
    ],
)
def test_what_cannot_be_clustered(
    change: dict[str, object],
    message: str,
    fine: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.ckpt").symlink_to(fine / "checkpoints/last.ckpt")
    given = {"model": "model.ckpt", "out": "out.ckpt", "flags": []} | change
    arguments = [str(given["model"]), str(given["out"]), "-c", str(fine / "config.yaml"), *given["flags"]]  # type: ignore
    assert main(["cluster-features", *arguments]) != 0
    error = capsys.readouterr().err
    assert [message in line for line in error.splitlines() if line.startswith("i2i: error:")] == [True], error
    assert not Path("out.ckpt").exists()


def test_a_model_without_features_has_nothing_to_cluster(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert fit("pix2pixhd.yaml", pairs, run, "--trainer.max_epochs", "1") == 0
    capsys.readouterr()
    last = run / "checkpoints/last.ckpt"
    assert main(["cluster-features", str(last), str(tmp_path / "m.ckpt"), "-c", str(run / "config.yaml")]) == 1
    assert "this model has no instance features" in one_line(capsys)
    assert main(["synthesize", str(last), str(pairs / "labels"), str(tmp_path / "out")]) == 0
    with pytest.raises(InputError, match="this model takes no instance features"):
        Synthesizer.load(last)(np.zeros((1, 32, 32), int), features={0: [0.0]})


@pytest.mark.parametrize(
    ("config", "flags", "message"),
    [
        ("pix2pixhd.yaml", FEATURES, "instance features need instance maps"),
        ("pix2pixhd.yaml", ["--data.resize.size", "[30, 32]"], "30 x 32; this generator needs"),
        ("pix2pixhd.yaml", ["--data.batch_size", "8"], "fewer than the batch_size 8"),
        ("pix2pixhd.yaml", ["--model.frozen_epochs", "1"], "frozen_epochs is 1; the generator has no part"),
        ("pix2pixhd_enhancer.yaml", ["--start_from", "nowhere.ckpt"], "nowhere.ckpt: no such file"),
        ("pix2pixhd_enhancer.yaml", ["--start_from", str(CONF / "folder.yaml")], "folder.yaml"),
    ],
)
def test_bad_input_is_one_line(
    config: str, flags: list[str], message: str, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, pairs, tmp_path / "run", *flags) != 0
    assert message in one_line(capsys)


def test_an_earlier_stage_that_does_not_fit(
    coarse: Path, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*FEATURES, "--model.generator.width", "3", "--start_from", str(coarse / "checkpoints/last.ckpt")]
    assert fit("pix2pixhd_enhancer.yaml", instances, tmp_path / "run", *flags) == 1
    assert "coarse.down.0.0.weight is (4, 8, 7, 7) in the file and (6, 8, 7, 7) here" in one_line(capsys)


def test_a_folder_of_two_pairs(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One trains, the other validates; a batch that they cannot fill is named."""
    two = tmp_path / "two"
    for name in ("photos", "labels"):
        (two / name).mkdir(parents=True)
        for path in sorted((pairs / name).iterdir())[:2]:
            (two / name / path.name).symlink_to(path)
    (two / "classes.csv").write_text((pairs / "classes.csv").read_text())
    assert fit("pix2pixhd.yaml", two, tmp_path / "run") == 1
    assert "allowed is a batch_size of 1 to 1" in one_line(capsys)
    assert fit("pix2pixhd.yaml", two, tmp_path / "run", "--data.batch_size", "1", "--trainer.max_epochs", "1") == 0


@pytest.mark.slow
def test_two_processes_freeze_and_release_as_one(pairs: Path, tmp_path: Path) -> None:
    """What is released after the strategy was set up is still shared over the processes."""

    sgd = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.01}}
    flags = ["--trainer.precision", "64-true", "--previews", "0"]
    flags += [f"--model.optimizer_{player}={sgd}" for player in "gd"]
    assert fit("pix2pixhd_enhancer.yaml", pairs, tmp_path / "one", *flags, "--data.batch_size", "2") == 0
    flags += ["-c", str(ROOT / "configs/trainer/ddp.yaml"), "--trainer.devices", "2", "--data.batch_size", "1"]
    arguments = ["fit", "-c", str(CONF / "pix2pixhd_enhancer.yaml"), "--data.source.root", str(pairs)]
    arguments += ["--run", str(tmp_path / "two"), *flags]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "i2i", *arguments], check=True, env=environment, timeout=300)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")


REAL = [
    ("camvid", "camvid", []),
    ("ade20k", "ADEChallengeData2016", ["--data.source.train", "validation"]),
    ("cityscapes", "cityscapes", FEATURES),
    ("coco_stuff", "coco_stuff", FEATURES),
]


@pytest.mark.parametrize(("dataset", "folder", "flags"), REAL, ids=[name for name, *_ in REAL])
def test_the_shipped_configurations_train_on_real_data(
    dataset: str, folder: str, flags: list[str], shared: Path, tmp_path: Path
) -> None:
    """The whole way of each, only smaller: widths, sizes and the number of pairs."""
    small = ["--model.generator.width", "2", "--model.generator.blocks", "1", "--model.discriminator.width", "2"]
    small += ["--model.objective.perceptual", "0", "--data.resize.size", "[32, 64]", "--data.workers", "0"]
    small += ["--data.batch_size", "1", "--data.limit_train", "2", "--data.limit_val", "1", "--trainer.max_epochs", "1"]
    small += ["--model.decay_from", "null", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
    config, run = ROOT / f"configs/{dataset}/pix2pixhd.yaml", tmp_path / "run"
    root = ["--data.source.root", str(shared / "data" / folder)]
    assert main(["fit", "-c", str(config), *flags, *root, *small, "--run", str(run)]) == 0
    assert (run / "previews/epoch_0001.png").exists()
    if flags is FEATURES:
        last, out = run / "checkpoints/last.ckpt", tmp_path / "model.ckpt"
        assert main(["cluster-features", str(last), str(out), "-c", str(run / "config.yaml")]) == 0
        synthesizer = Synthesizer.load(out)
        sample = read_data([str(run / "config.yaml")], []).source.split("train").read(0)
        labels = sample.labels[:64, :128]
        assert sample.instances is not None and synthesizer(labels, sample.instances[:64, :128]).shape == (
            1,
            64,
            128,
            3,
        )
