"""DiffAugment: what is changed, what stays together, and that gradients come back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.losses.augmentation import DiffAugment, recoloured
from i2i.semantics import SemanticMap

CLASSES = 5
PALETTE = torch.rand(2 * CLASSES, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
OFF = {"brightness": 0.0, "saturation": 0.0, "contrast": 0.0, "translation": 0.0, "cutout": 0.0}


def painted(batch: int = 3, height: int = 24, width: int = 32) -> tuple[SemanticMap, Tensor]:
    """Maps with instances, and the photos that show each label and edge in a colour of its own."""
    blocks = torch.randint(0, CLASSES, (batch, height // 4, width // 4), dtype=torch.uint8)
    labels = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)
    maps = SemanticMap.from_labels(labels, CLASSES, labels.int() + 1000)
    return maps, colours_of(maps)


def colours_of(maps: SemanticMap) -> Tensor:
    return PALETTE[maps.codes].permute(0, 3, 1, 2)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 1.0))
def test_a_shifted_photo_lies_on_its_shifted_map(seed: int, share: float) -> None:
    """Pixel by pixel, edges and what has come in included."""
    torch.manual_seed(seed)
    maps, photo = painted()
    seen, fake, real = DiffAugment(**OFF | {"translation": share})(maps, -photo, photo)
    assert isinstance(seen, SemanticMap) and seen.instances is not None
    assert seen.labels.dtype == torch.uint8 and seen.size == maps.size and seen.channels == maps.channels
    assert torch.equal(real, colours_of(seen)) and torch.equal(fake, -colours_of(seen))
    assert torch.equal(seen.instances, seen.labels.int() + 1000)


def test_pairs_are_shifted_each_by_itself_and_as_far_as_told() -> None:
    photo = torch.arange(40 * 16).reshape(1, 1, 40, 16).float().repeat(200, 3, 1, 1)
    maps = SemanticMap(torch.zeros(200, 40, 16, dtype=torch.uint8), 1)
    _, _, real = DiffAugment(**OFF | {"translation": 0.125})(maps, photo, photo)
    middle = real[:, 0, 20, 8].long()
    down, right = 20 - middle // 16, 8 - middle % 16
    assert set(down.tolist()) == set(range(-5, 6)) and set(right.tolist()) == set(range(-2, 3))


def test_fake_and_real_of_a_pair_are_changed_alike_and_pairs_differently() -> None:
    maps, photo = painted(2)
    photo = photo[:1].repeat(2, 1, 1, 1)
    _, fake, real = DiffAugment()(maps, photo, photo)
    assert torch.equal(fake, real)
    assert not torch.equal(real[0], real[1])


def test_cutout_is_one_grey_rectangle_and_leaves_the_map() -> None:
    maps, photo = painted(64, 24, 32)
    photo = photo.abs() + 1
    seen, fake, real = DiffAugment(**OFF | {"cutout": 0.5})(maps, photo, photo)
    assert seen is maps
    hidden = (real == 0).all(1)
    assert torch.equal(real, photo * ~hidden[:, None]) and torch.equal(fake, real)
    tall, wide = hidden.any(2), hidden.any(1)
    assert torch.equal(hidden, tall[:, :, None] & wide[:, None, :])
    # Half as high and wide as the photo, and up to half of that outside.
    assert int(tall.sum(1).max()) == 12 and int(wide.sum(1).max()) == 16
    assert int(tall.sum(1).min()) >= 6 and int(wide.sum(1).min()) >= 8
    assert int((tall[:, 1:] & ~tall[:, :-1]).sum(1).max()) <= 1


def test_colours_by_the_formula() -> None:
    photos = torch.rand(3, 3, 5, 6, dtype=torch.float64)
    brightness, saturation, contrast = torch.rand(3, 3, dtype=torch.float64)
    found = recoloured(photos, brightness, saturation, contrast)
    for n in range(3):
        bright = photos[n] + brightness[n]
        saturated = torch.empty_like(bright)
        for c in range(3):
            saturated[c] = saturation[n] * bright[c] + (1 - saturation[n]) * (bright[0] + bright[1] + bright[2]) / 3
        expected = contrast[n] * saturated + (1 - contrast[n]) * saturated.sum() / saturated.numel()
        torch.testing.assert_close(found[n], expected)


def test_colours_change_as_much_as_in_the_paper() -> None:
    """Brightness by up to 0.5 either way, saturation by up to twice, contrast by 0.5 to 1.5."""
    torch.manual_seed(0)
    photo = torch.zeros(500, 3, 4, 4)
    photo[:, 0] = 0.5
    photo[:, :, :2] -= 0.25
    maps = SemanticMap(torch.zeros(500, 4, 4, dtype=torch.uint8), 1)

    def seen(name: str) -> Tensor:
        real: Tensor = DiffAugment(**OFF | {name: getattr(DiffAugment(), name)})(maps, photo, photo)[2]
        return real

    shift = seen("brightness").mean((1, 2, 3)) - photo.mean((1, 2, 3))
    vivid = (seen("saturation")[:, 0] - seen("saturation")[:, 1]).mean((1, 2))
    steep = seen("contrast")
    steep = (steep[:, :, 2:] - steep[:, :, :2]).mean((1, 2, 3))
    for values, low, high in ((shift, -0.5, 0.5), (steep / 0.25, 0.5, 1.5)):
        assert low <= float(values.min()) < low + 0.05 and high - 0.05 < float(values.max()) <= high + 1e-5
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.05)
    assert -1e-6 <= float(vivid.min()) < 0.05 and 0.95 < float(vivid.max()) <= 1 + 1e-5


def test_every_change_can_be_left_out() -> None:
    maps, photo = painted()
    assert DiffAugment(**OFF)(maps, -photo, photo)[2] is photo
    for view in (DiffAugment(**OFF), DiffAugment(probability=0.0)):
        seen, fake, real = view(maps, -photo, photo)
        torch.testing.assert_close(real, photo, rtol=0, atol=1e-6)
        torch.testing.assert_close(fake, -photo, rtol=0, atol=1e-6)
        assert torch.equal(seen.dense(), maps.dense())


def test_each_change_is_made_with_its_probability() -> None:
    photo = torch.rand(2000, 3, 4, 4)
    maps = SemanticMap(torch.zeros(2000, 4, 4, dtype=torch.uint8), 1)
    for name in OFF:
        off = OFF | {name: 1.0, "probability": 0.3}
        _, _, real = DiffAugment(**off)(maps, photo, photo)
        changed = (real - photo).abs().amax((1, 2, 3)) > 1e-6
        # A shift may be by nothing: by 0 of ± 4 rows and columns in one of 81.
        assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.04), name


def test_gradients_come_back_to_the_fake() -> None:
    maps, _ = painted(2, 8, 8)

    def through(fake: Tensor) -> Tensor:
        torch.manual_seed(3)
        seen: Tensor = DiffAugment()(maps, fake, torch.zeros_like(fake))[1]
        return seen

    fake = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(through, fake)
    assert torch.autograd.grad(through(fake).square().sum(), fake)[0].abs().sum() > 0


def test_draws_follow_torchs_seed() -> None:
    maps, photo = painted()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(DiffAugment()(maps, photo, photo)[2])
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_changes_are_made_where_the_photos_lie() -> None:
    maps, photo = painted()
    seen, fake, real = DiffAugment()(maps.to("meta"), photo.to("meta"), photo.to("meta"))
    assert seen.device.type == fake.device.type == real.device.type == "meta"
    assert real.shape == photo.shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"brightness": 2.5}, "brightness is 2.5; allowed are 0 to 2"),
        ({"saturation": -0.1}, "saturation is -0.1; allowed are 0 to 1"),
        ({"translation": 1.5}, "translation is 1.5"),
        ({"cutout": float("nan")}, "cutout is nan"),
        ({"probability": 2.0}, "probability is 2.0"),
    ],
)
def test_what_cannot_be_is_named(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DiffAugment(**arguments)
