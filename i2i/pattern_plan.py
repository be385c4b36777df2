"""Which patterns of a label map the networks will ask for, so that a loader's workers find them beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from i2i.condition import Semantics
from i2i.semantics import SemanticMap, Step


@dataclass(frozen=True)
class PatternPlan:
    """What to find in every batch. Two plans add up.

    Attributes:
        neighbourhoods: divisors of the size, and kernels, of :meth:`SemanticMap.patterns`.
        windows: the steps of :meth:`SemanticMap.windows`.
    """

    neighbourhoods: frozenset[tuple[int, int]] = frozenset()
    windows: frozenset[tuple[Step, ...]] = frozenset()

    def __add__(self, other: PatternPlan) -> PatternPlan:
        return PatternPlan(self.neighbourhoods | other.neighbourhoods, self.windows | other.windows)

    def __bool__(self) -> bool:
        return bool(self.neighbourhoods or self.windows)

    def find(self, semantics: SemanticMap) -> None:
        """Find all of it, with the order of pixels that gradients are summed in; the map keeps it.

        A size that no divisor fits is left to the network, which says what it can take.
        """
        height, width = semantics.size
        for divisor, kernel in sorted(self.neighbourhoods):
            if height % divisor == 0 and width % divisor == 0:
                patterns = semantics.patterns(height // divisor, width // divisor, kernel)
                _ = patterns.outer.rows.order, patterns.outer.rows.offsets
        for steps in sorted(self.windows):
            semantics.windows(*steps)


@dataclass(frozen=True)
class PreparedSemantics:
    """Makes the condition of a batch where the batch is made.

    Attributes:
        semantics: how the model reads its condition.
        plan: what its networks will ask for.
    """

    semantics: Semantics
    plan: PatternPlan

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with its label map, patterns found, as ``semantics``.

        Raises:
            InputError: labels that the model cannot read.
        """
        condition = self.semantics.read(batch)
        if not isinstance(condition, SemanticMap):
            return dict(batch)
        self.plan.find(condition)
        return {**batch, "semantics": condition}
