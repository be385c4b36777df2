"""Conditions whose height and width are symbols, as networks are traced with: integer maps in, dense tensors out.

They are what :class:`i2i.semantics.SemanticMap` and :mod:`i2i.noise` are, without the checks and the patterns, which
depend on values, and without what these keep by size. Maps are as large as multiples that the networks halve exactly,
so that the nearest neighbours of a smaller map are every so-many-th row and column.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor


class TracedMap:
    """A batch of label maps.

    Args:
        labels: (N, H, W) int64. What is no label in [0, num_classes) is no class: zeros.
        num_classes: number of classes.
        edges: (N, H, W) bool; None for a network without instance edges.
    """

    def __init__(self, labels: Tensor, num_classes: int, edges: Tensor | None = None) -> None:
        self.labels = labels
        self.num_classes = num_classes
        self.edges = edges

    @property
    def channels(self) -> int:
        """The classes, and the edges where there are any."""
        return self.num_classes + (self.edges is not None)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.labels.shape[-2], self.labels.shape[-1]

    @property
    def batch(self) -> int:
        """N."""
        return self.labels.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the maps lie."""
        return self.labels.device

    @cached_property
    def _one_hot(self) -> Tensor:
        classes = torch.arange(self.num_classes, device=self.labels.device)
        dense = (self.labels[:, None] == classes[:, None, None]).float()
        return dense if self.edges is None else torch.cat([dense, self.edges[:, None].float()], 1)

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, channels, H, W), the one-hot tensor."""
        return self._one_hot if dtype == torch.float32 else self._one_hot.to(dtype)

    def resized(self, height: int, width: int) -> TracedMap:
        """The nearest-neighbour copy of a size that H and W are multiples of."""
        rows, columns = self.size[0] // height, self.size[1] // width
        edges = None if self.edges is None else self.edges[:, ::rows, ::columns]
        return TracedMap(self.labels[:, ::rows, ::columns], self.num_classes, edges)


class TracedNoise:
    """Label maps with noise beside the labels.

    Args:
        semantics: the label maps.
        noise: (N, Z) of each image, (N, num_classes, Z) of each class, or (N, Z, H, W) of each pixel.
    """

    def __init__(self, semantics: TracedMap, noise: Tensor) -> None:
        self.semantics = semantics
        self.noise = noise

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.semantics.size

    @cached_property
    def _noise_map(self) -> Tensor:
        labels = self.semantics.labels
        if self.noise.dim() == 2:
            return self.noise[:, :, None, None].expand(-1, -1, labels.shape[1], labels.shape[2])
        if self.noise.dim() == 3:
            images = torch.arange(labels.shape[0], device=labels.device)[:, None, None]
            return self.noise[images, labels].permute(0, 3, 1, 2)
        return self.noise

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, channels, H, W), the one-hot labels and the noise."""
        dense = torch.cat([self.semantics.dense(), self._noise_map], 1)
        return dense if dtype == torch.float32 else dense.to(dtype)

    def resized(self, height: int, width: int) -> TracedNoise:
        """As :meth:`TracedMap.resized`."""
        noise = self.noise
        if noise.dim() == 4:
            noise = noise[:, :, :: self.size[0] // height, :: self.size[1] // width]
        return TracedNoise(self.semantics.resized(height, width), noise)


def edges_of(instances: Tensor) -> Tensor:
    """(N, H, W) ids -> (N, H, W) bool, true where one of the 4 neighbours has another id."""
    edges = torch.zeros_like(instances, dtype=torch.bool)
    for dim in (1, 2):
        places = torch.arange(instances.shape[dim], device=instances.device)
        for neighbours in ((places - 1).clamp(min=0), (places + 1).clamp(max=instances.shape[dim] - 1)):
            edges = edges | (instances.index_select(dim, neighbours) != instances)
    return edges


def padded_to(maps: Tensor, multiple: int) -> Tensor:
    """(…, H, W) with the last row and column repeated until both sides are multiples."""
    sides: list[Any] = []
    for side in maps.shape[-2:]:
        whole = (side + multiple - 1) // multiple * multiple
        sides.append(torch.arange(whole, device=maps.device).clamp(max=side - 1))
    return maps[..., sides[0][:, None], sides[1]]


def cropped_to(photo: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) -> (N, C, height, width), the upper left part; a copy, so that nothing asks for its strides."""
    rows, columns = (torch.arange(side, device=photo.device) for side in (height, width))
    return photo.index_select(2, rows).index_select(3, columns)
