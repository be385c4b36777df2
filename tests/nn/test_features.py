"""VGG19 features against torchvision's network, and a file that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from i2i.errors import InputError
from i2i.nn.features import VGG19Features


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of torchvision's convolutions; the classifier, which is not read, is left out."""
    torch.manual_seed(0)
    with torch.device("meta"):
        reference = torchvision.models.vgg19(weights=None)
    names = {name: t.shape for name, t in reference.state_dict().items() if name.startswith("features.")}
    path = tmp_path_factory.mktemp("vgg") / "vgg19-dcbb9e9d.pth"
    torch.save({name: torch.randn(shape) * 0.04 for name, shape in names.items()}, path)
    return path


@torch.no_grad()
@pytest.mark.parametrize("imagenet_norm", [True, False])
def test_features_are_torchvisions(weights: Path, imagenet_norm: bool) -> None:
    with torch.device("meta"):
        reference = torchvision.models.vgg19(weights=None).features
    tensors = torch.load(weights, weights_only=True)
    reference.load_state_dict({k.removeprefix("features."): v for k, v in tensors.items()}, assign=True)
    photo = torch.rand(1, 3, 32, 32) * 2 - 1
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, None, :, None, None]
    x = ((photo + 1) / 2 - mean) / std if imagenet_norm else photo
    expected = []
    for name, layer in reference[:30].named_children():
        x = layer(x)
        if name in ("1", "6", "11", "20", "29"):
            expected.append(x.clone())
    network = VGG19Features(str(weights), imagenet_norm).train()
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    for found, wanted in zip(network(photo), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_torchs_cache_is_the_default(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"put vgg19-dcbb9e9d.pth .* perceptual weight 0") as caught:
        VGG19Features()
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / weights.name).symlink_to(weights)
    VGG19Features()


def test_a_file_of_something_else_is_named(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(InputError, match=r"vgg.pth: these are not torchvision's VGG19 weights"):
        VGG19Features(str(path))
    path.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"vgg.pth: "):
        VGG19Features(str(path))
