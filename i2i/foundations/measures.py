"""How near the samples of a model are to those of the data, and whether it leaves some of them out."""

from __future__ import annotations

import torch
from torch import Tensor

from i2i.metrics.collected import Collected
from i2i.metrics.samples import energy_distance, modes_covered, share_reached


class SampleMeasures(Collected):
    """Compares as many samples of a model with those of the data, over all batches and processes.

    Args:
        width: numbers in a sample.
        centres: (K, 2), the modes of the data where they are known; else None.
        radius: within which a sample counts as one of a mode.
    """

    def __init__(self, width: int, centres: Tensor | None = None, radius: float = 0.5) -> None:
        super().__init__(2 * width)
        self.centres = centres
        self.radius = radius

    def update(self, names: list[str], real: Tensor, fake: Tensor) -> None:
        """Add a batch: names, samples of the data (N, …) and of the model (N, …)."""
        self.collect(names, torch.cat([real.flatten(1), fake.flatten(1)], 1))

    def compute(self) -> dict[str, float]:
        """``energy``, the energy distance; ``reached``, the share of the data that the model's samples come near;
        ``modes``, how many of the known ones it covers."""
        real, fake = self.collected()[1].chunk(2, 1)
        found = {"energy": float(energy_distance(real, fake)), "reached": share_reached(real, fake)}
        if self.centres is not None:
            found["modes"] = float(modes_covered(fake, self.centres.double(), self.radius))
        return found
