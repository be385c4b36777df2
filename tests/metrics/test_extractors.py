from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.metrics.extractors import Extractor, InceptionFeatures, ProgramFeatures
from i2i.metrics.hashes import file_hash, network_hash
from i2i.pictures import from_pixels, to_pixels


class Means(nn.Module):
    def forward(self, photo: Tensor) -> Tensor:
        return photo.mean(dim=(2, 3))


def photos(size: tuple[int, int] = (20, 24)) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torch-fidelity's, with random weights."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):  # type: ignore[misc]
        def load_state_dict(self, *_: object) -> None:  # type: ignore[override]
            pass

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(Untrained("untrained", ["2048"], empty).state_dict(), path)
    return path


def test_inception_on_tensorflows_grid_is_torch_fidelitys(inception: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    theirs = FeatureExtractorInceptionV3("reference", ["2048"], str(inception))
    pixels = torch.randint(0, 256, (2, 3, 64, 80), dtype=torch.uint8)
    extractor = InceptionFeatures(str(inception))
    found = extractor(from_pixels(pixels.permute(0, 2, 3, 1).numpy()))
    assert found.shape == (2, 2048)
    torch.testing.assert_close(found, theirs(pixels)[0])
    about = extractor.describe()
    assert about["extractor sha256"] == hashlib.sha256(inception.read_bytes()).hexdigest()
    assert "not antialiased" in about["resize"] and about["extractor size"] == "299x299"
    bicubic = InceptionFeatures(str(inception), "bicubic")
    assert "bicubic" in bicubic.describe()["resize"]
    assert not torch.allclose(bicubic(photos()), extractor(photos()))


def test_inception_is_found_in_torchs_cache_under_either_name(
    inception: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"weights-inception-2015-12-05-6726825d\.pth: the Inception weights of FID"):
        InceptionFeatures()
    folder = tmp_path / "hub/checkpoints"
    folder.mkdir(parents=True)
    (folder / "pt_inception-2015-12-05-6726825d.pth").symlink_to(inception)
    assert InceptionFeatures().sha256 == file_hash(inception)


def test_a_file_of_something_else_is_no_inception(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"other\.pth: these are not the Inception weights"):
        InceptionFeatures(str(path))
    path.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(InputError, match=r"other\.pth: truncated"):
        InceptionFeatures(str(path))


def test_features_are_of_the_saved_picture() -> None:
    extractor = Extractor(Means(), size=(20, 24), mean=[0, 0, 0], std=[1, 1, 1])
    photo = photos()
    saved = torch.from_numpy(to_pixels(photo)).double().mean(dim=(1, 2)) / 255
    torch.testing.assert_close(extractor(photo).double(), saved, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(extractor(photo), extractor(from_pixels(to_pixels(photo))), rtol=0, atol=1e-6)


def test_maps_of_features_are_averaged_and_normalisation_is_applied() -> None:
    extractor = Extractor(nn.Identity(), size=(8, 8), mean=[0.1, 0.2, 0.3], std=[0.5, 0.5, 0.25])
    grey = torch.zeros(1, 3, 20, 20)  # 128 of 255
    expected = (128 / 255 - torch.tensor([0.1, 0.2, 0.3])) / torch.tensor([0.5, 0.5, 0.25])
    torch.testing.assert_close(extractor(grey)[0], expected)


def test_programs_from_files(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    torch.jit.trace(network, torch.zeros(1, 3, 16, 16)).save(str(tmp_path / "script.pt"))
    torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 16, 16),)), str(tmp_path / "program.pt2"))
    expected = Extractor(network, size=(16, 16))(photos())
    for name in ("script.pt", "program.pt2"):
        extractor = ProgramFeatures(str(tmp_path / name), size=(16, 16))
        torch.testing.assert_close(extractor.train()(photos()), expected)
        assert extractor.describe()["extractor"] == name
        assert extractor.sha256 == file_hash(tmp_path / name)
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(InputError, match=r"text\.pt: neither TorchScript nor"):
        ProgramFeatures(str(tmp_path / "text.pt"))
    with pytest.raises(InputError, match="no such file"):
        ProgramFeatures(str(tmp_path / "absent.pt"))


def test_what_is_no_feature_is_refused() -> None:
    class Several(nn.Module):
        def forward(self, photo: Tensor) -> list[Tensor]:
            return [photo]

    with pytest.raises(InputError, match="the extractor Several gives list"):
        Extractor(Several())(photos())
    with pytest.raises(InputError, match=r"gives \(6, 400\)"):
        Extractor(nn.Sequential(nn.Flatten(2), nn.Flatten(0, 1)), size=(20, 20))(photos())
    with pytest.raises(InputError, match="std above 0"):
        Extractor(Means(), std=[1, 1, 0])


def test_the_hash_is_of_the_weights() -> None:
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    assert network_hash(a) != network_hash(b)
    b.load_state_dict(a.state_dict())
    assert network_hash(a) == network_hash(b)
    assert network_hash(a.double()) != network_hash(b)
