"""The latent space of models of samples, in Python and by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from i2i.checkpoint import save_model
from i2i.cli import main
from i2i.errors import InputError
from i2i.foundations.condition import ClassSemantics
from i2i.foundations.connected import ConnectedGenerator
from i2i.foundations.convolutional import ConvolutionalEncoder, DCGANGenerator
from i2i.foundations.latents import SampleLatents
from i2i.foundations.plots import FAKE
from i2i.foundations.sampler import Sampler
from i2i.latent_space import latent_at
from i2i.latent_strips import Arithmetic, latent_strips
from i2i.latents import mixed
from i2i.pictures import to_pixels


@pytest.fixture
def digits() -> Sampler:
    """Grey images of three classes, with an encoder."""
    shape = [1, 16, 16]
    encoder = ConvolutionalEncoder(shape, 3, style_dim=5, width=2)
    return Sampler(DCGANGenerator(shape, 3, style_dim=5, width=4), ClassSemantics(3), encoder)


def grey(samples: Tensor) -> np.ndarray:
    return to_pixels(samples.expand(-1, 3, -1, -1))


def test_ends_of_images_are_plain_samples_to_the_bit(digits: Sampler) -> None:
    found = latent_strips([SampleLatents(digits, 2), SampleLatents(digits, 0)], count=1, steps=3, seed=8)
    a, b = digits.latents(1, 8), digits.latents(1, 9)
    for row in found.strips:
        label = [2, 0][row.space]
        assert row.title.endswith(f"class {label}") and row.pictures.shape == (3, 16, 16, 3)
        middle = mixed(a[0], b[0], 0.5, "linear" if "linear" in row.name else "spherical")
        expected = torch.cat([digits.decode(z, [label]) for z in (a, middle[None], b)])
        assert np.array_equal(row.pictures, grey(expected))
    assert not np.array_equal(found.strips[0].pictures, found.strips[2].pictures)


@pytest.mark.parametrize("draw", ["latents", "sample", "latent_at"])
def test_latents_are_drawn_by_seeds_of_64_bits(draw: str) -> None:
    sampler = Sampler(ConnectedGenerator([2], style_dim=3), ClassSemantics())

    def drawn(seed: Any) -> Tensor:
        if draw == "latent_at":
            return latent_at(SampleLatents(sampler), seed)
        return sampler.latents(1, seed) if draw == "latents" else sampler.sample(1, seed)

    assert torch.equal(drawn(5), drawn(np.int64(5))) and torch.isfinite(drawn(2**64 - 1)).all()
    for seed in (2**70, -1):
        with pytest.raises(InputError, match=f"the seed.* is {seed}; allowed are integers of 64 bits, 0 to"):
            drawn(seed)


def test_a_photo_is_found_by_the_encoder_as_a_grey_square_from_its_middle(digits: Sampler) -> None:
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    photo = np.zeros((16, 30, 3), np.uint8)
    photo[:, 7:23] = square
    luma = torch.from_numpy(np.array(Image.fromarray(square).convert("L"))).float() / 127.5 - 1
    expected = digits.latent(luma[None, None], [1])[0]
    torch.testing.assert_close(SampleLatents(digits, 1).latent(photo), expected)
    result = latent_strips(SampleLatents(digits, 1), arithmetic=Arithmetic([photo], [3], photo, by=(0,)), count=0)
    torch.testing.assert_close(result.latents["result"][0], expected)


def test_networks_in_training_stay_as_they_are() -> None:
    generator = DCGANGenerator([1, 16, 16], 0, style_dim=5, width=4)
    encoder = ConvolutionalEncoder([1, 16, 16], 0, style_dim=5, width=2)
    sampler = Sampler(generator, ClassSemantics(), encoder)
    first = sampler.sample(2, seed=0)
    for network in (generator, encoder):
        assert network.training and all(parameter.requires_grad for parameter in network.parameters())
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(2)
    assert torch.equal(sampler.sample(2, seed=0), first)


def test_a_point_is_shown_where_it_lies() -> None:
    generator = ConnectedGenerator([2], style_dim=2, hidden=[])
    (layer,) = (m for m in generator.modules() if isinstance(m, torch.nn.Linear))
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
        layer.bias.zero_()
    space = SampleLatents(Sampler(generator, ClassSemantics()))
    cloud = space.latents(1000, 0)
    middle, half = (cloud.amax(0) + cloud.amin(0)) / 2, 0.6 * float((cloud.amax(0) - cloud.amin(0)).max())
    for latent in (torch.tensor([1.0, 0.5]), torch.tensor([-1.0, -1.5])):
        picture = space.decode(latent[None])[0]
        edge = len(picture)
        rows, columns = np.nonzero((picture == FAKE).all(-1))
        right, up = ((latent - middle + half) / (2 * half)).tolist()
        assert columns.mean() == pytest.approx(right * edge, abs=1.5)
        assert rows.mean() == pytest.approx((1 - up) * edge, abs=1.5)  # upwards, as plots are read
    with pytest.raises(InputError, match="makes points: a photo has no latent"):
        space.latent(np.zeros((8, 8, 3), np.uint8))


def test_classes_are_given_where_there_are_some(digits: Sampler) -> None:
    for label, said in ((None, "none is given"), (3, "3 is given"), (-1, "-1 is given")):
        with pytest.raises(InputError, match=f"samples of a class, 0 to 2; {said}"):
            SampleLatents(digits, label)
    points = Sampler(ConnectedGenerator([2]), ClassSemantics())
    with pytest.raises(InputError, match="no classes; 0 is given"):
        SampleLatents(points, 0)
    with pytest.raises(InputError, match="no encoder"):
        SampleLatents(Sampler(DCGANGenerator([3, 8, 8], width=2), ClassSemantics())).latent(
            np.zeros((8, 8, 3), np.uint8)
        )


def test_the_command(digits: Sampler, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_model(tmp_path / "digits.ckpt", digits.generator, digits.semantics, digits.encoder)

    def latents(out: str, *flags: str) -> int:
        return main(["latents", str(tmp_path / "digits.ckpt"), str(tmp_path / out), "--device", "cpu", *flags])

    arithmetic = ["--towards", "1", "2", "--away", "3", "--base", "4"]
    assert latents("out", "--classes", "1", "--count", "1", "--steps", "2", *arithmetic) == 0
    shown = np.asarray(Image.open(tmp_path / "out/pictures/strip0_linear/01.png"))
    assert np.array_equal(shown, grey(digits.sample(1, seed=1, classes=[1]))[0])
    assert (tmp_path / "out/arithmetic.png").exists()
    capsys.readouterr()
    for flags, message in (
        ([], "0 to 2; none is given; see --classes"),
        (["--classes", "1", "--labels", "map.png"], "takes no maps; leave --labels out"),
    ):
        assert latents("other", *flags) == 1
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1 and message in error and "digits.ckpt" in error
