"""Parity with the published SPADE code, and the road through a converted file."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from i2i.checkpoint import load_file, restore
from i2i.convert import Official, convert, load_official
from i2i.convert.spade import our_name
from i2i.errors import InputError
from i2i.losses.adversarial import AdversarialLoss, HingeLoss, LeastSquaresLoss, VanillaLoss, WassersteinLoss
from i2i.losses.divergence import kl_divergence
from i2i.losses.objective import Objective

NAMES = ("spade-cityscapes", "spade-coco-vae")
LOSSES: dict[str, AdversarialLoss] = {
    "hinge": HingeLoss(),
    "ls": LeastSquaresLoss(),
    "original": VanillaLoss(),
    "w": WassersteinLoss(),
}


class Fixture:
    """One run of the original: its folder, its tensors, and what this package makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with np.load(folder / "io.npz") as arrays:
            self.expected = {name: arrays[name] for name in arrays.files}
        self.model = load_official(folder)
        self.photo = torch.from_numpy(self.expected["image"]).float() / 127.5 - 1
        self.style = torch.from_numpy(self.expected["z"])
        labels, instances = (torch.from_numpy(self.expected[name]) for name in ("label", "instance"))
        self.semantics = self.model.semantics(labels, instances)

    def close(self, found: Tensor, name: str, tolerance: float = 1e-4) -> None:
        np.testing.assert_allclose(found.detach().numpy(), self.expected[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module", params=NAMES)
def fixture(request: pytest.FixtureRequest, shared: Path) -> Fixture:
    return Fixture(shared / "golden" / request.param)


def test_edges(fixture: Fixture) -> None:
    assert fixture.semantics.edges is not None
    np.testing.assert_array_equal(fixture.semantics.edges[:, None].numpy(), fixture.expected["edges"])


@torch.no_grad()
def test_generator(fixture: Fixture) -> None:
    fixture.close(fixture.model.generator(fixture.semantics, fixture.style), "fake_eval")


@torch.no_grad()
def test_encoder(fixture: Fixture) -> None:
    if fixture.model.encoder is None:
        assert "mu" not in fixture.expected
        return
    mean, logvar = fixture.model.encoder(fixture.photo)
    fixture.close(mean, "mu")
    fixture.close(logvar, "logvar")
    np.testing.assert_allclose(kl_divergence(mean, logvar), fixture.expected["kld"], rtol=1e-5)


@torch.no_grad()
def test_discriminator(fixture: Fixture) -> None:
    assert fixture.model.discriminator is not None
    fake = torch.from_numpy(fixture.expected["fake_eval"])
    for name, photo in (("fake", fake), ("real", fixture.photo)):
        for i, scale in enumerate(fixture.model.discriminator(fixture.semantics, photo)):
            for j, feature in enumerate(scale):
                last = j == len(scale) - 1
                fixture.close(feature if last else feature.mean((1, 2, 3)), f"D_{name}_{i}_{j}")


@pytest.mark.parametrize("kind", LOSSES)
def test_adversarial_losses(fixture: Fixture, kind: str) -> None:
    layers = fixture.model.discriminator.scales[0].layers  # type: ignore[union-attr]
    fake, real = (
        [torch.from_numpy(fixture.expected[f"D_{name}_{scale}_{len(layers) - 1}"]) for scale in (0, 1)]
        for name in ("fake", "real")
    )
    on_real, on_fake = LOSSES[kind].discriminator(real, fake)
    fixture.close(on_real, f"loss_{kind}_D_real")
    fixture.close(on_fake, f"loss_{kind}_D_fake")
    fixture.close(LOSSES[kind].generator(fake), f"loss_{kind}_G")


def test_training_step(fixture: Fixture) -> None:
    """Losses and the gradient norm of every parameter, in training mode, from the stored state."""
    model = load_official(fixture.folder)
    assert model.discriminator is not None
    networks = {"G": model.generator.train(), "D": model.discriminator.train()}
    mean = logvar = None
    if model.encoder is not None:
        networks["E"] = model.encoder.train()
        mean, logvar = model.encoder(fixture.photo)
    fake = model.generator(fixture.semantics, mean)
    objective = Objective(perceptual=0)
    terms = objective.generator(model.discriminator, fixture.semantics, fake, fixture.photo, mean, logvar)
    objective.total(terms).backward()

    fixture.close(fake, "train_fake", 1e-4 if fixture.expected["train_fake"].dtype == np.float32 else 1e-3)
    original = {"adversarial": "train_G_GAN", "feature_matching": "train_G_GAN_Feat", "divergence": "train_G_KLD"}
    for name, term in terms.items():
        weighted = float(objective.total({name: term}).detach())
        assert weighted == pytest.approx(float(fixture.expected[original[name]]), rel=1e-3), name
    parameters = {f"{part}.{name}": p for part, network in networks.items() for name, p in network.named_parameters()}
    expected = dict(zip(fixture.expected["grad_names"].tolist(), fixture.expected["grad_norms"].tolist(), strict=True))
    largest = max(expected.values())
    seen = set()
    for name, norm in expected.items():
        ours = f"{name[0]}.{our_name(name[0], name[2:])}"
        gradient = parameters[ours].grad
        assert gradient is not None, ours
        # A bias that a normalisation takes away again has gradient 0; what is stored and found is float32 noise.
        noise = 1e-6 * largest
        assert float(gradient.norm()) == pytest.approx(norm, rel=1e-3, abs=noise if name.endswith("bias") else 0), name
        seen.add(ours)
    assert seen == {name for name in parameters if name[0] != "D"}


def test_a_converted_file_needs_nothing_else(fixture: Fixture, tmp_path: Path) -> None:
    convert(fixture.folder, tmp_path / "model.ckpt")
    contents = load_file(tmp_path / "model.ckpt")
    generator = restore(contents, "generator").eval()
    discriminator = restore(contents, "discriminator").eval()
    semantics = restore(contents, "semantics")(*(torch.from_numpy(fixture.expected[n]) for n in ("label", "instance")))
    with torch.no_grad():
        fake = generator(semantics, fixture.style)
        fixture.close(fake, "fake_eval")
        fixture.close(discriminator(semantics, fixture.photo)[0][-1], "D_real_0_4")
    assert restore(contents, "resize") is None
    assert restore(contents, "encoding").num_classes == semantics.num_classes
    assert (restore(contents, "encoder") is None) == (fixture.model.encoder is None)


def test_known_class_tables(shared: Path) -> None:
    cityscapes, coco = (load_official(shared / "golden" / name) for name in NAMES)
    assert cityscapes.encoding.classes.names[7] == "road"
    assert cityscapes.encoding.decode(np.array([[7, 255]], np.uint8)).tolist() == [[7, 0]]
    assert coco.encoding.decode(np.array([[0, 181, 255]], np.uint8)).tolist() == [[0, 181, 182]]


@pytest.fixture
def copy(shared: Path, tmp_path: Path) -> Path:
    """A folder of the original that a test may spoil."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (shared / "golden" / NAMES[0]).iterdir():
        shutil.copyfile(path, folder / path.name)
    return folder


def change(folder: Path, part: str, edit: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = torch.load(folder / f"latest_net_{part}.pth", weights_only=True)
    edit(tensors)
    torch.save(tensors, folder / f"latest_net_{part}.pth")


def set_option(folder: Path, **values: Any) -> None:
    path = folder / "options.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_text_options_are_read_and_the_pickle_is_not(copy: Path) -> None:
    options = json.loads((copy / "options.json").read_text()) | {"preprocess_mode": "fixed", "load_size": 64}
    (copy / "options.json").unlink()
    lines = [f"{k:>25}: {v!s:<30}" + ("\t[default: 512]" if k == "crop_size" else "") for k, v in options.items()]
    (copy / "opt.txt").write_text("\n".join(["---- Options ----", *lines, f"{'empty':>25}: {'':<30}", "---- End ----"]))
    (copy / "opt.pkl").write_bytes(b"not even a pickle")
    model = load_official(copy)
    assert (model.semantics.channels, model.generator.style_dim, model.generator.multiple) == (36, None, 32)
    assert model.resize is not None and model.resize.size == (32, 64)


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        ("resize_and_crop", (100, 200)),
        ("scale_width_and_crop", (32, 64)),
        ("scale_shortside", (100, 100)),
        ("none", (90, 130)),
    ],
)
def test_preprocessing_ends_at_the_networks_size(copy: Path, mode: str, size: tuple[int, int]) -> None:
    set_option(copy, preprocess_mode=mode, load_size=72)
    resize = load_official(copy).resize
    assert resize is not None
    expected = (96, 128) if mode == "none" else (32, 64)
    assert resize.apply_labels(np.zeros(size, np.uint8)).shape == expected


def test_statistics_of_the_branches_that_differ_are_kept_apart(copy: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors["up_1.norm_s.param_free_norm.running_var"] *= 4

    before = load_official(copy)
    change(copy, "G", spoil)
    after = load_official(copy)
    assert before.generator.shared_input_norm and not after.generator.shared_input_norm
    labels = torch.randint(0, 35, (1, 32, 64))
    semantics = before.semantics(labels)
    with torch.no_grad():
        assert not torch.allclose(before.generator(semantics), after.generator(semantics), atol=1e-4)
        assert after.generator.blocks[4].normalise_s is not None
        after.generator.blocks[4].normalise_s.running_var.div_(4)
        torch.testing.assert_close(before.generator(semantics), after.generator(semantics))


def test_a_stored_normalised_weight_is_left_out(copy: Path) -> None:
    change(copy, "G", lambda tensors: tensors.update({"up_0.conv_0.weight": tensors["up_0.conv_0.weight_orig"] * 2}))
    load_official(copy)


def test_without_discriminator(copy: Path) -> None:
    (copy / "latest_net_D.pth").unlink()
    assert load_official(copy).discriminator is None


def _pop(name: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: change(f, "G", _pop("fc.bias")), "latest_net_G.pth.*missing first.bias"),
        (lambda f: change(f, "D", lambda t: t.update({"extra": torch.ones(1)})), "latest_net_D.pth.*left over extra"),
        (lambda f: set_option(f, ngf=8), "latest_net_G.pth.*size mismatch"),
        (lambda f: set_option(f, netG="pix2pixhd"), "options.json: netG is 'pix2pixhd'"),
        (lambda f: set_option(f, norm_G="spade"), "norm_G is 'spade'"),
        (lambda f: set_option(f, norm_D="spectralgroup"), "norm_D is 'spectralgroup'"),
        (lambda f: set_option(f, num_upsampling_layers="least"), "allowed are normal, more, most"),
        (lambda f: set_option(f, preprocess_mode="squash"), "preprocess_mode is 'squash'"),
        (lambda f: (f / "options.json").write_text("{}"), "options.json: the option label_nc is missing"),
        (lambda f: (f / "options.json").write_text("{"), "options.json: cannot be read"),
        (lambda f: (f / "options.json").unlink(), "neither options.json nor opt.txt"),
        (lambda f: (f / "latest_net_G.pth").unlink(), "latest_net_G.pth: no such file"),
        (lambda f: (f / "latest_net_G.pth").write_bytes(pickle.dumps(Official)), "latest_net_G.pth: "),
    ],
)
def test_what_is_wrong_is_named_in_one_line(copy: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(copy)
    with pytest.raises(InputError, match=message) as caught:
        load_official(copy)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        load_official(tmp_path / "nowhere")
