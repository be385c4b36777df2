"""The latent space in the report: the pictures that it says, where there is a latent vector at all."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from i2i.data.datamodule import DataModule
from i2i.data.scenes import Scenes
from i2i.data.transforms import Fixed
from i2i.evaluation.evaluation import Evaluation, Wish
from i2i.evaluation.painter import Painter
from i2i.latents import interpolated
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.pictures import Pixels, to_pixels
from i2i.report.gallery import Gallery
from i2i.report.latents import latent_space
from i2i.synthesizer import Synthesizer


class Keeping(Gallery):
    """Keeps what it writes, which JPEG changes a little."""

    def __init__(self, folder: Path, evaluation: Evaluation) -> None:
        super().__init__(folder, evaluation, {})
        self.kept: dict[str, Pixels] = {}

    def write(self, index: int, name: str, picture: Pixels) -> str:
        self.kept[f"{index} {name}"] = picture
        return super().write(index, name, picture)

    def same(self, index: int, kind: str, expected: Pixels) -> bool:
        found = [picture for name, picture in self.kept.items() if re.fullmatch(f"{index} {kind}[0-9]", name)]
        return np.array_equal(np.stack(found), expected)


def gallery_of(data: DataModule, generator: Generator, encoder: StyleEncoder | None, folder: Path) -> Keeping:
    synthesizer = Synthesizer(generator, data.semantics, encoder)
    evaluation = Evaluation(data, Painter.of(synthesizer, seed=7), Wish(metrics=["similarity"]), say=lambda line: None)
    return Keeping(folder, evaluation)


@pytest.fixture(scope="module")
def scenes() -> DataModule:
    return DataModule(Scenes((32, 32), train=1, val=9, instances=False), Fixed((32, 32)), val_batch_size=4, workers=0)


def styled(data: DataModule) -> SPADEGenerator:
    torch.manual_seed(1)
    return SPADEGenerator(data.label_channels, style_dim=4, width=1, hidden=4, base_size=(1, 1), gain=1.0)


def test_strips_between_drawn_latents_and_photos_and_the_lightings(scenes: DataModule, tmp_path: Path) -> None:
    torch.manual_seed(2)
    gallery = gallery_of(scenes, styled(scenes), StyleEncoder(style_dim=4, width=2, size=16, gain=1.0), tmp_path)
    html = latent_space(gallery)
    for source in re.findall(r'src="([^"]+)"', html):
        assert (tmp_path / source).exists()
    items = {index: scenes.dataset("val")[index] for index in range(9)}
    synthesizer = Synthesizer(styled(scenes), scenes.semantics, gallery.evaluation.painter.encoder)
    styles = {i: synthesizer.latent(to_pixels(item["photo"][None])[0]) for i, item in items.items()}
    for place, index in enumerate((0, 4, 8)):
        a, b = (torch.randn(4, generator=torch.Generator().manual_seed(7 + 2 * place + i)) for i in (0, 1))
        expected = synthesizer(items[index]["labels"], style=interpolated(a, b, 7))
        assert gallery.same(index, "drawn", expected)
        path = interpolated(styles[index], styles[(index + 4) % 12], 7)
        assert gallery.same(index, "photos", synthesizer(items[index]["labels"], style=path))
    # From the commonest lighting, on the first of its maps, to the second commonest.
    told = [scenes.original.lighting("val", index) for index in range(9)]
    (one, _), (other, _) = Counter(told).most_common(2)
    from_, to = ([i for i in range(9) if told[i] == name][-4:] for name in (one, other))
    base = told.index(one)
    step = torch.stack([styles[i] for i in to]).mean(0) - torch.stack([styles[i] for i in from_]).mean(0)
    moved = torch.stack([styles[base] + by * step for by in (-0.5, 0, 0.5, 1, 1.5)])
    assert gallery.same(base, "lightings", synthesizer(items[base]["labels"], style=moved))
    assert f"mean of {len(to)} photos of {other} − mean of {len(from_)} of {one}" in html


def test_only_drawn_strips_without_encoder_and_nothing_without_latent(scenes: DataModule, tmp_path: Path) -> None:
    html = latent_space(gallery_of(scenes, styled(scenes), None, tmp_path / "styled"))
    assert html.count("between two drawn latents") == 3 and "own photo" not in html
    unet = UNetGenerator(scenes.label_channels, width=2, depth=4, dropout=0.0)
    assert latent_space(gallery_of(scenes, unet, None, tmp_path / "plain")) == ""


def test_no_lightings_where_the_data_tell_none(model: Path, data: DataModule, tmp_path: Path) -> None:
    painter = Painter.of(Synthesizer.load(model))
    evaluation = Evaluation(data, painter, Wish(metrics=["similarity"]), say=lambda line: None)
    html = latent_space(Gallery(tmp_path, evaluation, {}))
    assert html.count("to that of") == 3 and "mean of" not in html
