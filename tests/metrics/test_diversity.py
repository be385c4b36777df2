from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import torch
from torchvision import models

from i2i.errors import InputError
from i2i.metrics.diversity import LPIPS, Diversity, PerceptualDistance, pairwise_diversity


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(models.alexnet(weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def lpips(alexnet: Path) -> LPIPS:
    return LPIPS("alex", str(alexnet))


def photos(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 64, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def zhang(alexnet: Path, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Equation 1 of Zhang et al. 2018 on torchvision's AlexNet, the weights of the channels from the package."""
    network = models.alexnet(weights=None)
    network.load_state_dict(torch.load(alexnet, weights_only=True))
    with resources.as_file(resources.files("lpips") / "weights/v0.1/alex.pth") as path:
        weights = torch.load(path, weights_only=True, map_location="cpu")
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    total = torch.zeros(len(a))
    x, y = (((z + 1) / 2 - mean[:, None, None]) / std[:, None, None] for z in (a, b))
    tap = 0
    for layer in network.eval().features[:-1]:
        x, y = layer(x), layer(y)
        if isinstance(layer, torch.nn.ReLU):
            unit_x, unit_y = (z / z.square().sum(1, keepdim=True).sqrt().clamp(min=1e-10) for z in (x, y))
            weighted = (unit_x - unit_y).square() * weights[f"lin{tap}.model.1.weight"]
            total += weighted.sum(1).mean((1, 2)).detach()
            tap += 1
    assert tap == 5
    return total


def test_it_is_the_papers_equation_on_torchvisions_network(alexnet: Path, lpips: LPIPS) -> None:
    a, b = photos(3), photos(3, seed=1)
    torch.testing.assert_close(lpips(a, b), zhang(alexnet, a, b), rtol=1e-2, atol=1e-5)  # the package rounds mean, std
    assert lpips(a, a).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("net", "make"), [("vgg", models.vgg16), ("squeeze", models.squeezenet1_1)])
def test_the_other_backbones_are_torchvisions(net: str, make: object, tmp_path: Path) -> None:
    state = make(weights=None).state_dict()  # type: ignore[operator]
    small = {name: tensor for name, tensor in state.items() if name.startswith("features.")}
    torch.save(small, tmp_path / "weights.pth")
    network = LPIPS(net, str(tmp_path / "weights.pth"))  # type: ignore[arg-type]
    loaded = network.distance.get_submodule("net").state_dict()
    assert len(loaded) > 20
    for name, tensor in loaded.items():
        assert torch.equal(tensor, state["features." + name.split(".", 1)[1]])
    assert float(network(photos(1), photos(1, seed=1))) > 0


def test_the_metric_is_the_mean_and_knows_each_photo(lpips: LPIPS) -> None:
    a, b, names = photos(3), photos(3, seed=1), ["x", "y", "z"]
    metric = PerceptualDistance(lpips)
    for i in range(3):
        metric.update(a[i : i + 1], b[i : i + 1], names[i : i + 1])
    expected = lpips(a, b)
    (result,) = metric.results()
    assert result.value == pytest.approx(float(expected.mean()), rel=1e-5)
    assert list(metric.each(["z", "x", "absent"]).values()) == pytest.approx(expected[[2, 0]].tolist(), rel=1e-5)
    assert result.protocol["LPIPS"] == "alex, version 0.1" and len(result.protocol["backbone sha256"]) == 64
    assert not metric.state_dict()


def test_diversity_is_the_mean_over_pairs(lpips: LPIPS) -> None:
    pictures = photos(3)
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = sum(float(lpips(pictures[[i]], pictures[[j]])) for i, j in pairs) / 3
    assert pairwise_diversity(lpips, pictures) == pytest.approx(expected)
    metric = Diversity(lpips)
    metric.update(pictures, "map a")
    metric.update(pictures[:1].repeat(3, 1, 1, 1), "map b")  # a model that ignores its style
    (result,) = metric.results()
    assert result.value == pytest.approx(expected / 2, rel=1e-5)
    assert (result.protocol["maps"], result.protocol["pictures a map"]) == (2, 3)


def test_what_cannot_be_measured_is_refused(lpips: LPIPS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="at least 2 of each"):
        pairwise_diversity(lpips, photos(1))
    with pytest.raises(InputError, match="at least 32 pixels a side, not 31"):
        lpips(torch.zeros(1, 3, 31, 64), torch.zeros(1, 3, 31, 64))
    with pytest.raises(InputError, match="no backbone 'resnet'"):
        LPIPS("resnet")  # type: ignore[arg-type]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"alexnet-owt-7be5be79\.pth: the alex weights of LPIPS are not there; put"):
        LPIPS()
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="not torchvision's alex weights"):
        LPIPS("alex", str(tmp_path / "other.pth"))


def test_the_smallest_allowed_photos_work(lpips: LPIPS) -> None:
    assert torch.isfinite(lpips(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32))).all()
