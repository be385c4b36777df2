"""A linear layer of which every class has its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from i2i.styled_map import ByClass


class PerClassLinear(nn.Module):
    """``W_c x + b_c`` for vectors x of classes c.

    Args:
        classes: number of classes.
        in_features: length of the vectors.
        out_features: length of the results.
    """

    def __init__(self, classes: int, in_features: int, out_features: int) -> None:
        super().__init__()
        reach = 1 / math.sqrt(in_features)  # as torch.nn.Linear starts
        self.weight = nn.Parameter(torch.empty(classes, out_features, in_features).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(classes, out_features).uniform_(-reach, reach))

    def forward(self, x: Tensor, by_class: ByClass) -> Tensor:
        """(R, in_features) and the classes of these R vectors -> (R, out_features)."""
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if len(by_class.classes) != len(weight):
            weight, bias = weight[by_class.classes], bias[by_class.classes]
        out = torch.baddbmm(bias[:, None], by_class.lay(x), weight.transpose(1, 2))  # (P, most, out_features)
        return by_class.gather(out)
