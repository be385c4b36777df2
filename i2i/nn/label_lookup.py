"""The label part of a discriminator's first convolution, looked up.

A discriminator sees photo and one-hot labels together, 3 channels beside up to 184. Its first convolution is a sum of a
part that reads the photo and one that reads the labels, and the latter is a function of the labels in a window. As in
:mod:`i2i.nn.pattern_modulation`, the distinct windows are numbered and each is computed once, as a sum of rows of the
weight. Between the scales of a multi-scale discriminator the one-hot labels are averaged; averages of windows are
averages of rows, so the windows of these windows are numbered in turn. Padding needs no care: outside the image is a
number of its own, whose row is zero, and which averages leave out.

So the one-hot tensor is never made, fake and real photos share the label part, and what autograd keeps for backward is
the photo and a table.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.semantics import SemanticMap, Step

POOLING: Step = (3, 2, 1)
"""Kernel, stride and padding of the averages between scales, in which the padding is not counted."""


def look_up_labels(semantics: SemanticMap, weight: Tensor, stride: int, padding: int, halvings: int = 0) -> Tensor:
    """A strided convolution of the one-hot map, after it was averaged over 3×3 windows, ``halvings`` times.

    Args:
        semantics: N label maps.
        weight: (O, channels, k, k), the labels' part of a convolution's weight. Computed in at least float32.
        stride: of the convolution.
        padding: of the convolution, zeros.
        halvings: how many averages of stride 2 come before it.

    Returns:
        (N, O, h, w), in channels_last, at least float32.
    """
    out_channels, _, kernel, _ = weight.shape
    with torch.autocast(semantics.device.type, enabled=False):
        table = _rows_of_codes(semantics, weight)
        pools: tuple[Step, ...] = ()
        for _ in range(halvings):
            pools = (*pools, POOLING)
            outside = len(table) - 1
            averages = F.embedding_bag(semantics.windows(*pools).contents, table, mode="mean", padding_idx=outside)
            table = F.pad(averages, (0, 0, 0, 1))
        windows = semantics.windows(*pools, (kernel, stride, padding))
        used = windows.contents * kernel**2 + torch.arange(kernel**2, device=semantics.device)
        sums = F.embedding_bag(used, table.view(-1, out_channels), mode="sum")  # (windows, O)
        return F.embedding(windows.rows.index, sums).permute(0, 3, 1, 2)


def _rows_of_codes(semantics: SemanticMap, weight: Tensor) -> Tensor:
    """(codes + 1, k² · O): what a pixel of each code adds at each place of a window; the last row, outside, is zero."""
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))
    rows = wide.flatten(2).permute(1, 2, 0).flatten(1)  # (channels, k² · O)
    if semantics.edges is not None:
        labels, edge = rows[:-1], rows[-1]
        rows = torch.stack([labels, labels + edge], 1).flatten(0, 1)  # code = 2 · label + edge
    return F.pad(rows, (0, 0, 0, 1))
