"""How near the samples of a model are to those of the data, and whether it leaves some of them out."""

from __future__ import annotations

import torch
from torch import Tensor

from i2i.metrics.collected import Collected
from i2i.metrics.samples import energy_distance, mode_collapse, modes_covered

NEIGHBOURS = 5
"""Among how many neighbours of each the collapse of modes is looked for: as many samples and one more are needed."""


class SampleMeasures(Collected):
    """Compares as many samples of a model with those of the data, over all batches and processes.

    Args:
        width: numbers in a sample.
        centres: (K, 2), the modes of the data where they are known; else None.
        radius: up to which a sample lies at a mode.
    """

    def __init__(self, width: int, centres: Tensor | None = None, radius: float = 0.0) -> None:
        super().__init__(2 * width)
        self.centres = centres
        self.radius = radius

    def update(self, names: list[str], real: Tensor, fake: Tensor) -> None:
        """Add a batch: names, samples of the data (N, …) and of the model (N, …)."""
        self.collect(names, torch.cat([real.flatten(1), fake.flatten(1)], 1))

    def compute(self) -> dict[str, float]:
        """The measures by name.

        ``energy``, the energy distance; with more than :data:`NEIGHBOURS` samples ``missed`` and ``closeness``, signs
        of a collapse of modes, see :class:`i2i.metrics.samples.Collapse`; of data with known modes ``modes``, how many
        of them are covered, and ``quality``, the share of the samples that lie at one.
        """
        real, fake = self.collected()[1].chunk(2, 1)
        found = {"energy": energy_distance(real, fake)}
        if len(real) > NEIGHBOURS:
            found |= mode_collapse(real, fake, NEIGHBOURS)._asdict()
        if self.centres is not None:
            modes = modes_covered(fake, self.centres.double(), self.radius)
            found |= {"modes": float(modes.covered), "quality": modes.quality}
        return found
