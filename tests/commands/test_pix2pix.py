"""pix2pix through the real command line: from label maps and from images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.checkpoint import load_file
from i2i.cli import main
from i2i.data.files import read_image
from i2i.errors import InputError
from i2i.metrics.result import read_results
from i2i.synthesizer import Synthesizer

CONF = Path(__file__).resolve().parent.parent / "conf"


@pytest.fixture(scope="module")
def images(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey drawings of the photos of ``pairs`` in A, the photos in B."""
    root = tmp_path_factory.mktemp("images")
    for side in "AB":
        (root / side).mkdir()
    for path in sorted((pairs / "photos").iterdir()):
        photo = Image.open(path)
        photo.save(root / "B" / path.name)
        photo.convert("L").quantize(4).convert("L").save(root / f"A/{path.stem}.png")
    return root


def fit(config: str, root: Path, run: Path, *flags: str) -> int:
    return main(["fit", "-c", str(CONF / config), "--data.source.root", str(root), "--run", str(run), *flags])


IMAGES = ("--data.source.channels", "1")


@pytest.fixture(scope="module")
def translated(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "images"
    assert fit("pix2pix_images.yaml", images, run, *IMAGES) == 0
    return run


def test_images_train_resume_and_leave_previews(images: Path, translated: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit("pix2pix_images.yaml", images, run, *IMAGES, "--trainer.max_epochs", "1") == 0
    assert fit("pix2pix_images.yaml", images, run, *IMAGES, "--resume", "auto") == 0
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    whole = torch.load(translated / "checkpoints/last.ckpt", weights_only=True)
    assert content["epoch"] == whole["epoch"] == 1
    assert load_file(run / "checkpoints/last.ckpt")["i2i"]["semantics"]["arguments"] == {"channels": 1}
    preview = np.asarray(Image.open(translated / "previews/epoch_0002.png"))
    shown = preview[22 : 22 + 32, 4 : 4 + 64]  # under the caption, within the margin
    assert (shown[..., 0] == shown[..., 2]).all() and shown.std() > 5  # the grey drawing
    assert main(["validate", "-c", str(translated / "config.yaml")]) == 0


def test_a_folder_of_images_is_translated(translated: Path, images: Path, tmp_path: Path) -> None:
    model, out = translated / "checkpoints/last.ckpt", tmp_path / "out"
    assert main(["synthesize", str(model), str(images / "A"), str(out), "--seed", "3"]) == 0
    assert {p.name for p in out.iterdir()} == {p.name for p in (images / "A").iterdir()}
    synthesizer = Synthesizer.load(model)
    path = images / "A/view0.png"
    condition, instances = synthesizer.read(path)
    assert condition.shape == (1, 1, 32, 64) and instances is None
    photo = synthesizer(condition, seed=3)
    assert np.array_equal(photo[0], np.asarray(Image.open(out / "view0.png")))
    assert np.array_equal(photo, synthesizer(path, seed=3))


def test_the_noise_is_the_seeds_and_not_the_batchs(translated: Path, images: Path) -> None:
    synthesizer = Synthesizer.load(translated / "checkpoints/last.ckpt")
    arrays = np.stack([read_image(p, 1) for p in sorted((images / "A").iterdir())[:3]])
    together = synthesizer(arrays, seed=1)
    assert together.shape == (3, 64, 64, 3) and together.dtype == np.uint8
    assert np.array_equal(together, synthesizer(arrays, seed=1))
    assert np.array_equal(together[:1], synthesizer(arrays[:1], seed=1))
    assert np.array_equal(together[:1], synthesizer(Image.fromarray(arrays[0, :, :, 0]), seed=1))
    first, second = synthesizer(arrays[:1], seed=1, count=2)
    assert not np.array_equal(first, second) and np.array_equal(first, together[0])
    with pytest.raises(InputError, match="takes no instances"):
        synthesizer(arrays, instances=arrays[..., 0])
    with pytest.raises(InputError, match=r"the model takes \(H, W, 1\) uint8"):
        synthesizer(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="have 3 channels, the model takes 1"):
        synthesizer(torch.zeros(1, 3, 64, 64))


def test_sizes_that_the_depth_cannot_halve_are_padded_and_cropped_back(translated: Path) -> None:
    synthesizer = Synthesizer.load(translated / "checkpoints/last.ckpt")
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 1)).astype(np.uint8)
    padded = np.pad(image, ((0, 24), (0, 14), (0, 0)), mode="edge")
    assert np.array_equal(synthesizer(image, seed=0), synthesizer(padded, seed=0)[:, :40, :50])


def test_labels_train_resume_and_synthesise(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit("pix2pix_labels.yaml", pairs, run, "--trainer.max_epochs", "1") == 0
    assert fit("pix2pix_labels.yaml", pairs, run, "--resume", "auto") == 0
    model = run / "checkpoints/last.ckpt"
    assert main(["synthesize", str(model), str(pairs / "labels"), str(tmp_path / "out"), "--count", "2"]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 12
    assert (run / "previews/epoch_0002.png").exists()
    assert Synthesizer.load(model)(str(pairs / "labels/view0.png"), seed=0).shape[0] == 1


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        ("DerivedImages", []),
        ("DerivedImages", ["--data.source.condition", "i2i.data.derive.CannyEdges"]),
        ("SideBySide", ["--data.source.direction", "BtoA"]),
    ],
)
def test_other_sets_of_images_train(images: Path, tmp_path: Path, source: str, flags: list[str]) -> None:
    kind = ["--data.source.class_path", f"i2i.data.images.{source}", "--data.source.root", str(images / "B")]
    once = ["--trainer.max_epochs", "1", "--previews", "1"]
    assert fit("pix2pix_images.yaml", images, tmp_path / "run", *kind, *flags, *once) == 0


@pytest.mark.parametrize(
    ("option", "flags"),
    [
        ("resnet", ["--model.generator.width", "2", "--model.generator.blocks", "1", "--data.resize.size", "[36, 44]"]),
        ("pixel_gan", ["--model.discriminator.width", "2"]),
        ("image_gan", ["--model.discriminator.width", "2", "--data.resize.size", "[96, 96]"]),
        ("least_squares", []),
    ],
)
def test_the_shipped_options_go_on_top(pairs: Path, tmp_path: Path, option: str, flags: list[str]) -> None:
    above = ["-c", str(CONF.parent.parent / f"configs/options/pix2pix_{option}.yaml"), *flags]
    once = ["--trainer.max_epochs", "1", "--previews", "0"]
    assert fit("pix2pix_labels.yaml", pairs, tmp_path / "run", *above, *once) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--data.resize.size", "[48, 64]"],
            "48 x 64; for a U-Net of depth 5 height and width must be multiples of 32",
        ),
        (["--data.source.channels", "2"], "channels"),
        (["--data.source.direction", "AB"], "direction"),
        (["--model.generator.depth", "1"], "depth 1"),
        (["--data.source.a", "C"], "no pictures in"),
    ],
)
def test_bad_input_is_one_line(
    images: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("pix2pix_images.yaml", images, tmp_path / "run", *flags) != 0
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("i2i: error:")]
    assert len(lines) == 1 and message in lines[0] and "Traceback" not in error


def test_the_check_knows_what_the_generator_takes(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["data", "check", "-c", str(CONF / "pix2pix_images.yaml"), "--data.source.root", str(images)]
    assert main(arguments) == 0
    assert main([*arguments, "--data.resize.size", "[32, 48]"]) == 1
    assert (
        "32 x 48 by ResizeAndCrop; the generator takes heights and widths that are multiples of 32"
        in capsys.readouterr().out
    )
    assert main([*arguments, "--data.resize.size", "[32, 48]", "--model.generator.depth", "4"]) == 0


def test_a_model_of_images_is_not_continued_on_labels(
    translated: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = ["--resume", str(translated / "checkpoints/last.ckpt")]
    assert fit("pix2pix_labels.yaml", pairs, tmp_path / "run", *resume) == 1
    error = capsys.readouterr().err
    assert error.count("i2i: error:") == 1 and "the checkpoint is of another model" in error


def test_a_translation_of_images_is_measured_and_reported(translated: Path, images: Path, tmp_path: Path) -> None:
    model, config = str(translated / "checkpoints/last.ckpt"), str(translated / "config.yaml")
    split = ["--split", "train", "--samples", "2"]
    assert main(["evaluate", model, "-c", config, *split, "--out", str(tmp_path), "--device", "cpu"]) == 0
    results, about = read_results(tmp_path / "results.json")
    assert results[0].name == "PSNR" and "translates images" in about["left out"]["miou"]
    assert results[0].protocol["data"] == "PairedImages"
    html = (tmp_path / "index.html").read_text()
    assert 'id="gallery"' in html and 'id="classes"' not in html and ">condition<" in html
    shown = np.asarray(Image.open(tmp_path / "pictures/00000_map.png"))
    assert shown.shape == (32, 64, 3) and (shown[..., 0] == shown[..., 2]).all()
