"""Parity with the published pix2pixHD code, and the road through a converted file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from i2i.checkpoint import load_file, restore
from i2i.convert import convert, load_official
from i2i.data.transforms import NoResize, ResizeAndCrop, ScaleWidth
from i2i.errors import InputError
from i2i.losses.adversarial import LeastSquaresLoss
from i2i.losses.matching import FeatureMatchingLoss
from i2i.losses.objective import Objective
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.synthesizer import Synthesizer

NAMES = ("pix2pixhd-global", "pix2pixhd-local-features")


class Fixture:
    """One run of the original: its folder, its tensors, and what this package makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with np.load(folder / "io.npz") as arrays:
            self.expected = {name: arrays[name] for name in arrays.files}
        self.model = load_official(folder)
        self.photo = self.tensor("image").permute(0, 3, 1, 2).float() / 127.5 - 1
        self.fake = self.tensor("fake")
        self.condition = self.model.semantics(self.tensor("label"), self.tensor("instance"))
        self.features = self.tensor("features") if "features" in self.expected else None

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.expected[name])

    def close(self, found: Tensor, name: str, tolerance: float = 1e-4) -> None:
        np.testing.assert_allclose(found.detach().numpy(), self.expected[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module", params=NAMES)
def fixture(request: pytest.FixtureRequest, shared: Path) -> Fixture:
    return Fixture(shared / "golden" / request.param)


@torch.no_grad()
def test_generator_and_encoder(fixture: Fixture) -> None:
    encoder = fixture.model.encoder
    assert (encoder is None) == (fixture.features is None)
    if encoder is not None:
        features, logvar = encoder(fixture.photo, fixture.condition)
        assert logvar is None
        fixture.close(features, "features")
    fixture.close(fixture.model.generator(fixture.condition, fixture.features), "fake")


@torch.no_grad()
def test_discriminator(fixture: Fixture) -> None:
    assert fixture.model.discriminator is not None
    for name, photo in (("fake", fixture.fake), ("real", fixture.photo)):
        scales = fixture.model.discriminator(fixture.condition, photo)
        assert [len(layers) for layers in scales] == [5, 5]
        for i, layers in enumerate(scales):
            for j, feature in enumerate(layers):
                fixture.close(feature if j == 4 else feature.mean((1, 2, 3)), f"D_{name}_{i}_{j}")


@torch.no_grad()
def test_the_objective_of_the_configurations_has_the_originals_losses(fixture: Fixture) -> None:
    objective = Objective(
        LeastSquaresLoss("sum"), 40.0, perceptual=0.0, matching=FeatureMatchingLoss("mean"), discriminator_scale=0.5
    )
    discriminator = fixture.model.discriminator
    assert discriminator is not None
    terms = objective.generator(discriminator, fixture.condition, fixture.fake, fixture.photo)
    fixture.close(terms["adversarial"], "loss_G_GAN")
    fixture.close(objective.total({"feature_matching": terms["feature_matching"]}), "loss_G_feat")
    judged, _ = objective.discriminator(discriminator, fixture.condition, fixture.fake, fixture.photo)
    fixture.close(judged["fake"], "loss_D_fake")
    fixture.close(judged["real"], "loss_D_real")
    halved = 0.5 * (fixture.expected["loss_D_fake"] + fixture.expected["loss_D_real"])
    assert float(objective.total(judged)) == pytest.approx(float(halved), rel=1e-5)


def test_a_converted_file_needs_nothing_else(fixture: Fixture, tmp_path: Path) -> None:
    convert(fixture.folder, tmp_path / "model.ckpt")
    contents = load_file(tmp_path / "model.ckpt")
    with torch.no_grad():
        found = restore(contents, "discriminator").eval()(fixture.condition, fixture.photo)
    fixture.close(found[0][-1], "D_real_0_4")
    synthesizer = Synthesizer.load(tmp_path / "model.ckpt")
    label, instance = (fixture.tensor(name)[:, 0] for name in ("label", "instance"))
    for i in range(len(label)):
        # The encoder's photo is the stored one, so its features are those of the original.
        style = None if fixture.features is None else fixture.expected["image"][i]
        picture = synthesizer(label[i], instance[i], style=style)[0].astype(int)
        assert np.abs(picture - (fixture.expected["fake"][i].transpose(1, 2, 0) + 1) * 127.5).max() <= 0.6


# --- other runs than the fixtures: the names of the original, told anew from its structure ---------------------------


def original_trunk(prefix: str, trunk: Any, downsamplings: int, blocks: int, norm: bool) -> dict[str, Tensor]:
    """What a sequential network of paddings, convolutions, norms and activations calls our tensors."""
    names: dict[str, Tensor] = {}

    def put(place: int, unit: Any) -> int:
        """A convolution at a place, its norm behind it; the next free place, after the activation."""
        for offset in range(1 + norm):
            for key, tensor in unit[offset].state_dict().items():
                names[f"{prefix}.{place + offset}.{key}"] = tensor
        return place + 3

    place = 1  # behind the first padding
    for unit in trunk.down:
        place = put(place, unit)
    for block in trunk.blocks:
        for start, unit in ((1, block.first), (5, block.second)):
            for offset in range(1 + norm):
                for key, tensor in unit[offset].state_dict().items():
                    names[f"{prefix}.{place}.conv_block.{start + offset}.{key}"] = tensor
        place += 1
    for unit in trunk.up:
        place = put(place, unit)
    return names


def last(prefix: str, place: int, layer: torch.nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{place}.{key}": tensor for key, tensor in layer.state_dict().items()}


OPTIONS = {"label_nc": 5, "no_instance": True, "feat_num": 0, "instance_feat": False, "ngf": 2, "norm": "batch"}


def write(folder: Path, generator: dict[str, Tensor], options: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save(generator, folder / "latest_net_G.pth")
    (folder / "options.json").write_text(json.dumps(OPTIONS | options))
    return folder


@pytest.mark.parametrize(("downsamplings", "blocks"), [(1, 0), (2, 3), (4, 12)])
def test_other_sizes_of_the_global_generator(downsamplings: int, blocks: int, tmp_path: Path) -> None:
    network = GlobalGenerator(5, 0, 2, downsamplings, blocks, "batch").eval()
    tensors = original_trunk("model", network.trunk, downsamplings, blocks, norm=True)
    tensors |= last("model", 4 + 3 * downsamplings + blocks + 3 * downsamplings + 1, network.last)
    options = {"netG": "global", "n_downsample_global": downsamplings, "n_blocks_global": blocks}
    model = load_official(write(tmp_path / "run", tensors, options))
    semantics = model.semantics(torch.randint(5, (1, 32, 32)))
    assert model.discriminator is None and model.encoder is None
    assert torch.equal(model.generator(semantics), network(semantics))


def test_several_enhancers(tmp_path: Path) -> None:
    network = LocalEnhancer(5, 0, 2, 2, 1, 1, 1, "batch").eval()
    tensors = original_trunk("model", network.coarse, 1, 1, norm=True)
    for i, level in enumerate(network.enhancers, start=1):
        down = original_trunk(f"model{i}_1", torch.nn.ModuleDict({"down": level.down, "blocks": torch.nn.ModuleList(),
                                                                "up": torch.nn.ModuleList()}), 1, 0, True)  # fmt: skip
        body = torch.nn.ModuleDict({"down": torch.nn.ModuleList(), "blocks": level.blocks,
                                    "up": torch.nn.ModuleList([level.up])})  # fmt: skip
        up = original_trunk(f"model{i}_2", body, 0, 1, True)
        # Nothing is padded before the first block, so everything is one place earlier.
        tensors |= down | {".".join([(p := n.split("."))[0], str(int(p[1]) - 1), *p[2:]]): t for n, t in up.items()}
    tensors |= last("model2_2", 1 + 3 + 1, network.last)
    options = {"netG": "local", "n_downsample_global": 1, "n_blocks_global": 1}
    options |= {"n_local_enhancers": 2, "n_blocks_local": 1}
    model = load_official(write(tmp_path / "run", tensors, options))
    semantics = model.semantics(torch.randint(5, (1, 32, 32)))
    assert torch.equal(model.generator(semantics), network(semantics))


def test_a_discriminator_that_was_trained_without_feature_matching(tmp_path: Path, shared: Path) -> None:
    """Then the original numbers the parts of all layers through, activations included."""
    folder = copied(shared, tmp_path, NAMES[0])
    before = load_official(folder).discriminator
    tensors = torch.load(folder / "latest_net_D.pth", weights_only=True)
    places = {0: 0, 1: 2, 2: 5, 3: 8, 4: 11}

    def plain(name: str) -> str:
        scale, layer, key = name[5], int(name[12]), name.split(".", 2)[2]
        return f"layer{scale}.{places[layer]}.{key}"

    torch.save({plain(name): tensor for name, tensor in tensors.items()}, folder / "latest_net_D.pth")
    after = load_official(folder).discriminator
    assert isinstance(before, MultiscalePatchGAN) and isinstance(after, MultiscalePatchGAN)
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


def test_statistics_that_early_pytorch_kept_for_instance_norms(tmp_path: Path, shared: Path) -> None:
    folder = copied(shared, tmp_path, NAMES[0])
    tensors = torch.load(folder / "latest_net_G.pth", weights_only=True)
    torch.save(tensors | {"model.2.running_mean": torch.ones(8)}, folder / "latest_net_G.pth")
    load_official(folder)


@pytest.mark.parametrize(
    ("mode", "expected", "size"),
    [
        ("scale_width", ScaleWidth, (512, 1024)),
        ("scale_width_and_crop", ScaleWidth, (512, 1024)),
        ("resize_and_crop", ResizeAndCrop, (1024, 1024)),
        ("none", NoResize, (1000, 2000)),
    ],
)
def test_text_options_and_preprocessing(
    mode: str, expected: type, size: tuple[int, int], tmp_path: Path, shared: Path
) -> None:
    folder = copied(shared, tmp_path, NAMES[0])
    options = json.loads((folder / "options.json").read_text())
    options |= {"resize_or_crop": mode, "loadSize": 1024, "fineSize": 512}
    (folder / "options.json").unlink()
    lines = [f"{name}: {value}" for name, value in options.items()]
    (folder / "opt.txt").write_text("\n".join(["-------- Options --------", *lines, "-------- End --------"]))
    resize = load_official(folder).resize
    assert isinstance(resize, expected)
    assert resize.apply_labels(np.zeros((1000, 2000), np.uint8)).shape == size


def copied(shared: Path, tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(shared / "golden" / name, tmp_path / "run", copy_function=shutil.copyfile))


def drop(folder: Path, part: str, name: str) -> None:
    tensors = torch.load(folder / f"latest_net_{part}.pth", weights_only=True)
    del tensors[name]
    torch.save(tensors, folder / f"latest_net_{part}.pth")


def set_option(folder: Path, **values: Any) -> None:
    path = folder / "options.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: set_option(f, netG="encoder"), "netG is 'encoder'; .* spade, global, local"),
        (lambda f: set_option(f, label_nc=0), "label_nc is 0"),
        (lambda f: set_option(f, label_feat=True), "label_feat is not supported"),
        (lambda f: set_option(f, norm="spectral"), "norm is 'spectral'; allowed are instance, batch"),
        (lambda f: set_option(f, ngf=6), "latest_net_G.pth.*size mismatch"),
        (lambda f: set_option(f, n_blocks_local=3), "latest_net_G.pth"),
        (lambda f: set_option(f, resize_or_crop="squash"), "resize_or_crop is 'squash'"),
        (lambda f: drop(f, "G", "model.1.bias"), "latest_net_G.pth.*missing coarse.down.0.0.bias"),
        (lambda f: drop(f, "D", "scale1_layer4.0.bias"), "latest_net_D.pth.*missing scales.0.layers.4.0.bias"),
        (lambda f: drop(f, "E", "model.1.weight"), "latest_net_E.pth.*model.1.weight"),
        (lambda f: drop(f, "E", "model.4.bias"), "latest_net_E.pth.*missing trunk.down.1.0.bias"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(
    tmp_path: Path, shared: Path, spoil: Callable[[Path], object], message: str
) -> None:
    folder = copied(shared, tmp_path, NAMES[1])
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        load_official(folder)
    assert "\n" not in str(caught.value)


def test_the_encoders_size_is_read_from_its_weights(shared: Path) -> None:
    encoder = load_official(shared / "golden" / NAMES[1]).encoder
    assert isinstance(encoder, InstanceEncoder) and (encoder.feature_channels, encoder.multiple) == (3, 8)
