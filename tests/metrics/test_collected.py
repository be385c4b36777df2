from __future__ import annotations

import pytest
import torch

from i2i.errors import InputError
from i2i.metrics.collected import Collected, check_photos, key
from tests.metrics.figures import PHOTOS, figures, of_two
from tests.processes import in_two_processes


class Rows(Collected):
    def update(self, names: list[str], rows: torch.Tensor) -> None:
        self.collect(names, rows)

    def compute(self) -> torch.Tensor:
        return self.collected()[1]


def test_two_processes_give_the_figures_of_one() -> None:
    alone = figures(range(PHOTOS), twice=False)
    assert len(alone) == 14
    for uneven, one_idle in in_two_processes(of_two):
        assert uneven == alone
        assert one_idle == alone


def test_neither_order_nor_batches_nor_duplicates_matter() -> None:
    names, rows = [f"photo {i}" for i in range(9)], torch.randn(9, 3)
    one, other = Rows(3), Rows(3)
    one.update(names, rows)
    order = torch.randperm(9).tolist()
    for i in [*order, 4, 2]:
        other.update([names[i]], rows[i : i + 1])
    for a, b in zip(one.collected(), other.collected(), strict=True):
        assert torch.equal(a, b)
    assert len(one.collected()[0]) == 9


def test_it_can_start_anew() -> None:
    metric = Rows(2)
    metric.update(["a"], torch.ones(1, 2))
    metric.reset()
    assert metric.collected()[1].shape == (0, 2)
    metric.update(["b"], torch.ones(1, 2))
    assert metric.collected()[0].tolist() == [key("b")]


def test_nothing_of_it_enters_a_checkpoint() -> None:
    metric = Rows(2)
    metric.update(["a"], torch.ones(1, 2))
    assert not metric.state_dict()


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (torch.full((1, 3, 4, 4), float("nan")), "harbour: the photo has pixels that are NaN or infinite"),
        (torch.full((1, 3, 4, 4), float("-inf")), "harbour: the photo has pixels that are NaN or infinite"),
        (torch.full((1, 3, 4, 4), 255.0), "harbour: the photo has the value 255; photos are measured in"),
        (torch.zeros(1, 1, 4, 4), r"shape \(1, 1, 4, 4\); expected"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "torch.uint8"),
        (torch.zeros(2, 3, 4, 4), "2 photos came with 1 names"),
    ],
)
def test_photos_that_cannot_be_measured_are_named(photo: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_photos(photo, ["harbour"])


def test_one_nan_pixel_among_many_is_found() -> None:
    photo = torch.zeros(3, 3, 16, 16)
    photo[1, 2, 7, 7] = float("nan")
    with pytest.raises(InputError, match="b: the photo has pixels that are NaN"):
        check_photos(photo, ["a", "b", "c"])
