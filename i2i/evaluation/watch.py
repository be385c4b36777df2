"""The artefact watch: when synthesised pictures have more of what goes wrong than real photos, and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from i2i.metrics.result import Result


class _Rule(NamedTuple):
    figure: str
    times: float  # of the real photos' value, to which
    plus: float  # is added, and what exceeds the sum is too much
    advice: str


_RULES = (
    _Rule(
        "saturated values",
        1.5,
        4.0,
        "burnt-out pictures: recalculate the batch statistics (RecalculateStatistics, i2i evaluate --recalculate 50), "
        "lower the learning rates, or train in bf16-mixed instead of 16-mixed",
    ),
    _Rule(
        "blobs",
        1.5,
        1.5,
        "bright blobs: recalculate the batch statistics (RecalculateStatistics, i2i evaluate --recalculate 50), take "
        "an earlier checkpoint, a larger batch, or a lower learning rate of the discriminator",
    ),
    _Rule(
        "repeated texture",
        1.0,
        0.12,
        "texture that repeats: train longer, add a scale to the discriminator, give the generator noise (OASIS, or a "
        "style), or raise the perceptual weight",
    ),
)


def artefact_warnings(results: Sequence[Result]) -> list[str]:
    """A line for each artefact that pictures show clearly more of than real photos, with what to try.

    Args:
        results: of a run with the measure ``artefacts``; without figures of real photos there is nothing to say.
    """
    by_name = {result.name: result for result in results}
    lines = []
    for rule in _RULES:
        found, real = by_name.get(rule.figure), by_name.get(f"{rule.figure} of the real photos")
        if found is not None and real is not None and found.value > rule.times * real.value + rule.plus:
            lines.append(f"{rule.figure}: {found.figure} against {real.figure} in real photos; {rule.advice}")
    return lines
