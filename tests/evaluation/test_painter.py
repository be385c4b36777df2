from __future__ import annotations

from pathlib import Path

import pytest
import torch

from i2i.data.datamodule import DataModule
from i2i.data.loading import collate
from i2i.errors import InputError
from i2i.evaluation.painter import Painter
from i2i.metrics.collected import key
from i2i.pictures import from_pixels, to_pixels
from i2i.synthesizer import Synthesizer


@pytest.fixture(scope="module")
def synthesizer(model: Path) -> Synthesizer:
    return Synthesizer.load(model)


def test_a_picture_is_the_synthesizers_in_the_style_of_its_name(synthesizer: Synthesizer, data: DataModule) -> None:
    batch = next(iter(data.in_order("val")))
    pictures = Painter.of(synthesizer, seed=5).paint(batch, find_styles=True)
    for index, name in enumerate(batch["name"]):
        seed = (key(name) + 5) % 2**63
        expected = from_pixels(synthesizer(batch["labels"][index], seed=seed))
        torch.testing.assert_close(pictures.photo[index], expected[0], rtol=0, atol=0)
        z = torch.randn(1, 4, generator=torch.Generator().manual_seed(seed))
        assert pictures.given is not None and torch.equal(pictures.given[index], z[0])
        assert pictures.found is not None
        torch.testing.assert_close(pictures.found[index], synthesizer.encoder(expected, None)[0][0])  # type: ignore[misc]
    assert pictures.photo.shape == (2, 3, 40, 56)


def test_neither_batches_nor_further_samples_matter(synthesizer: Synthesizer, data: DataModule) -> None:
    painter, dataset = Painter.of(synthesizer), data.dataset("val")
    together = painter.paint(collate([dataset[0], dataset[1], dataset[2]]), samples=3)
    alone = painter.paint(collate([dataset[2]]))
    assert torch.equal(together.photo[2:], alone.photo)
    assert [tuple(one.shape) for one in together.samples] == [(3, 3, 40, 56)] * 3
    assert torch.equal(together.samples[2][0], alone.photo[0])
    assert not torch.equal(together.samples[2][0], together.samples[2][1])
    assert not torch.equal(Painter.of(synthesizer, seed=1).paint(collate([dataset[2]])).photo, alone.photo)


def test_the_style_of_the_photo(synthesizer: Synthesizer, data: DataModule) -> None:
    item = data.dataset("val")[0]
    pictures = Painter.of(synthesizer, style="photo").paint(collate([item]))
    style = synthesizer.encoder(item["photo"][None], None)[0][0]  # type: ignore[misc]
    assert torch.equal(pictures.photo, from_pixels(synthesizer(item["labels"], style=style)))
    del item["photo"]
    with pytest.raises(InputError, match="no photo, whose style"):
        Painter.of(synthesizer, style="photo").paint(collate([item]))
    with pytest.raises(InputError, match="no style encoder"):
        Painter(synthesizer.generator, synthesizer.semantics, None, synthesizer.device, style="photo")


def test_pictures_in_styles_that_are_given(synthesizer: Synthesizer, data: DataModule) -> None:
    item, styles = data.dataset("val")[1], torch.randn(3, 4)
    painter = Painter.of(synthesizer)
    drawn = painter.draw(collate([item]), styles)
    assert (to_pixels(drawn) == synthesizer(item["labels"], style=styles)).all()
    photo = to_pixels(item["photo"][None])[0]
    mean = synthesizer.encoder(item["photo"][None], None)[0][0]  # type: ignore[misc]
    torch.testing.assert_close(painter.style_of(photo), mean)


def test_pixels_that_are_no_numbers_are_refused(model: Path, data: DataModule) -> None:
    """As 8-bit values they would look like others."""
    broken = Synthesizer.load(model)
    for tensor in broken.generator.state_dict().values():
        if tensor.is_floating_point():
            tensor.fill_(float("nan"))
    item = data.dataset("val")[0]
    with pytest.raises(InputError, match=f"{item['name']}: the synthesised picture has pixels that are NaN"):
        Painter.of(broken).paint(collate([item]))
