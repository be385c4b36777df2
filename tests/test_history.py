"""The history of pictures: what belongs together stays together, and half of what is shown is old."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.history import PictureHistory


def batch(numbers: list[int], side: int = 2) -> tuple[dict[str, Any], Tensor]:
    """Maps, photos and pictures that all carry the number of their sample."""
    column = torch.tensor(numbers)[:, None, None]
    maps = column.expand(-1, side, side)
    photos = maps[:, None].expand(-1, 3, -1, -1).double()
    return {"labels": maps, "photo": photos, "name": [str(n) for n in numbers]}, -photos


def shown(samples: dict[str, Any], fake: Tensor) -> list[int]:
    numbers = samples["labels"][:, 0, 0]
    assert torch.equal(samples["labels"], numbers[:, None, None].expand_as(samples["labels"]))
    assert torch.equal(samples["photo"], numbers[:, None, None, None].expand_as(fake).double())
    assert torch.equal(fake, -samples["photo"])
    return [int(n) for n in numbers]


def test_samples_stay_whole_and_half_of_them_are_old() -> None:
    history, size, old, ages = PictureHistory(8), 8, 0, []
    for step in range(1000):
        current = [2 * step, 2 * step + 1]
        numbers = shown(*history(*batch(current)))
        if 2 * step + 1 < size:
            assert numbers == current  # filling up
            continue
        for number, now in zip(numbers, current, strict=True):
            assert number <= now
            if number != now:
                old += 1
                ages.append(now - number)
    assert old / 1992 == pytest.approx(0.5, abs=0.05)
    # A picture is exchanged at the next one with chance 1/2 · 1/8, so it is 16 pictures old in the mean.
    assert sum(ages) / len(ages) == pytest.approx(16, rel=0.2)


def test_every_picture_is_shown_at_most_once() -> None:
    """A kept one leaves the history when it is shown, and one that is shown at once is not kept."""
    history = PictureHistory(4)
    numbers = [shown(*history(*batch([step])))[0] for step in range(300)]
    after = numbers[4:]
    fill = set(range(4))  # these were shown while filling up, and once more at most
    assert len([n for n in after if n not in fill]) == len({n for n in after if n not in fill})
    assert all(after.count(n) <= 1 for n in fill)


def test_it_is_a_function_of_the_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        history = PictureHistory(3)
        runs.append([shown(*history(*batch([step])))[0] for step in range(50)])
    assert runs[0] == runs[1] != runs[2]


def test_pictures_of_another_size_are_not_exchanged() -> None:
    history = PictureHistory(2)
    for step in range(60):
        side = 2 + step % 2
        samples, fake = history(*batch([step], side))
        assert shown(samples, fake)[0] % 2 == step % 2 and fake.shape[-1] == side


def test_the_kept_pictures_are_copies() -> None:
    history = PictureHistory(1)
    samples, fake = batch([7])
    history(samples, fake)
    fake.fill_(99)
    later = [shown(*history(*batch([n]))) for n in (8, 9, 10, 11, 12, 13)]
    assert [7] in later


def test_a_size_that_cannot_be() -> None:
    with pytest.raises(InputError, match="size is -1; it is a number of pictures, at least 1"):
        PictureHistory(-1)


def test_a_kept_state_goes_on_the_same() -> None:
    histories = [PictureHistory(3), PictureHistory(3)]
    for step in range(10):
        histories[0](*batch([step]))
    histories[1].restore(histories[0].state())
    runs = []
    for history in histories:
        torch.manual_seed(4)
        runs.append([shown(*history(*batch([step])))[0] for step in range(10, 40)])
    assert runs[0] == runs[1] and min(runs[0]) < 10


def test_a_smaller_history_takes_what_has_room() -> None:
    large, small = PictureHistory(5), PictureHistory(2)
    large(*batch([0, 1, 2, 3, 4]))
    small.restore(large.state())
    assert [int(sample["labels"][0, 0]) for sample, _ in small.state()] == [3, 4]
