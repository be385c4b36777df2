from __future__ import annotations

import pytest

from i2i.evaluation.watch import artefact_warnings
from i2i.metrics.result import Result


@pytest.mark.parametrize(
    ("figure", "fine", "much", "advice"),
    [
        ("saturated values", 12.0, 30.0, "burnt-out pictures: recalculate the batch statistics"),
        ("blobs", 14.0, 20.0, "bright blobs"),
        ("repeated texture", 10.05, 10.3, "texture that repeats: train longer"),
    ],
)
def test_a_line_where_there_is_clearly_more_than_in_real_photos(
    figure: str, fine: float, much: float, advice: str
) -> None:
    real = Result(f"{figure} of the real photos", 10.0, of_real_photos=True)
    assert artefact_warnings([Result(figure, fine), real]) == []
    (line,) = artefact_warnings([Result(figure, much), real])
    assert line.startswith(f"{figure}: {much:.2f} against 10.00 in real photos; ") and advice in line
    assert artefact_warnings([Result(figure, much)]) == []
