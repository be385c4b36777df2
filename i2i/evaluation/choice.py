"""Which measures can be asked for by name, and which of them are possible with what is there."""

from __future__ import annotations

from collections.abc import Sequence

from i2i.errors import InputError
from i2i.evaluation.measure import Means, Measure, Unusable
from i2i.evaluation.measures import (
    ArtefactMeasure,
    DistributionMeasure,
    DiversityMeasure,
    PerceptualMeasure,
    SegmentationMeasure,
    SimilarityMeasure,
    StyleMeasure,
)

MEASURES: dict[str, type[Measure]] = {
    "fid": DistributionMeasure,
    "miou": SegmentationMeasure,
    "lpips": PerceptualMeasure,
    "diversity": DiversityMeasure,
    "similarity": SimilarityMeasure,
    "style": StyleMeasure,
    "artefacts": ArtefactMeasure,
}
"""What can be asked for."""


def choose_measures(means: Means, wanted: Sequence[str] | None) -> tuple[dict[str, Measure], dict[str, str]]:
    """The measures that are wanted; without any, all that are possible, and why the others are not.

    Raises:
        InputError: a wanted one is unknown or not possible, what was named to measure with is no use, or nothing is
            possible.
    """
    if wanted is not None:
        check_names(wanted)
    chosen, left_out = {}, {}
    for name in MEASURES if wanted is None else dict.fromkeys(wanted):
        try:
            chosen[name] = MEASURES[name].prepare(means)
        except InputError as error:
            if wanted is not None or isinstance(error, Unusable):
                raise InputError(f"{name}: {error}") from error
            left_out[name] = str(error)
    if not chosen:
        raise InputError("nothing can be measured: " + "; ".join(f"{n}: {reason}" for n, reason in left_out.items()))
    return chosen, left_out


def check_names(wanted: Sequence[str]) -> None:
    """Raise :class:`InputError` where there are no names, or one of no measure."""
    unknown = next((name for name in wanted if name not in MEASURES), None)
    if unknown is not None or not wanted:
        what = "no metrics are named" if unknown is None else f"there is no metric {unknown!r}"
        raise InputError(f"{what}; there are {', '.join(MEASURES)}")
