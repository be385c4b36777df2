"""The feature encoder of pix2pixHD (Wang et al. 2018, section 3.4): what each instance of a photo looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.instances import InstanceIndex
from i2i.nn.norm import Norm
from i2i.nn.residual import ResidualTrunk, check_sizes, last_layer
from i2i.nn.style import Encoder
from i2i.recipe import recorded
from i2i.semantics import SemanticMap


@recorded
class InstanceEncoder(Encoder):
    """Photo -> features that are averaged inside each instance, as a map for the generator.

    To synthesise without a photo, features are drawn from clusters: for each class the centres of a k-means over the
    instances of the training set (``i2i cluster-features``), which are part of the network's state.

    Args:
        features: number of features; the generator takes as many ``feature_channels``.
        width: channels of the first layer; each down-sampling doubles them.
        downsamplings: halvings, and as many doublings behind them.
        norm: normalisation after every convolution but the last.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Attributes:
        cluster_centres: (M, features), every cluster of every class; M is 0 before there are clusters.
        cluster_classes: (M,), the class of each.
        cluster_counts: (M,), how many instances of the training set each stands for.

    Raises:
        InputError: a number is too small.
    """

    cluster_centres: Tensor
    cluster_classes: Tensor
    cluster_counts: Tensor

    def __init__(
        self,
        features: int = 3,
        width: int = 16,
        downsamplings: int = 4,
        norm: Norm = "instance",
        init: Init = "normal",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        check_sizes(features=(features, 1), width=(width, 1), downsamplings=(downsamplings, 1))
        self.feature_channels = features
        self.multiple = 1 << downsamplings
        self.trunk = ResidualTrunk(3, width, downsamplings, blocks=0, norm=norm)
        self.last = last_layer(width, features)
        self.register_buffer("cluster_centres", torch.zeros(0, features))
        self.register_buffer("cluster_classes", torch.zeros(0, dtype=torch.long))
        self.register_buffer("cluster_counts", torch.zeros(0, dtype=torch.long))
        initialise(self, init, gain)

    def forward(self, photo: Tensor, condition: Condition) -> tuple[Tensor, None]:
        """Encode photos.

        Args:
            photo: (N, 3, H, W) in [-1, 1]. Where a side is no multiple of ``2**downsamplings``, its border is repeated.
            condition: the N label maps of these photos, with instances.

        Returns:
            The features of each pixel's instance, (N, features, H, W) in [-1, 1], and None: there is no variance.

        Raises:
            InputError: the maps have no instances, or the photos are of another size.
        """
        index, values = self.encode(photo, condition)
        return index.spread(values), None

    def encode(self, photo: Tensor, condition: Condition) -> tuple[InstanceIndex, Tensor]:
        """As :meth:`forward`, but by instance: which there are, and the features of each, (instances, features)."""
        index = InstanceIndex.of(condition)
        height, width = condition.size
        if tuple(photo.shape) != (condition.batch, 3, height, width):
            wanted = (condition.batch, 3, height, width)
            raise InputError(f"the photos have shape {tuple(photo.shape)}; these label maps ask for {wanted}")
        # The trunk wants multiples of its halvings; what is added at the borders belongs to no instance.
        below, right = (max(-(-side // self.multiple), 2) * self.multiple - side for side in (height, width))
        x = F.pad(photo, (0, right, 0, below), mode="replicate") if below or right else photo
        return index, index.average(torch.tanh(self.last(self.trunk(x)))[:, :, :height, :width])

    def by_region(self, photo: Tensor, condition: Condition) -> dict[int, Tensor]:
        """As :meth:`Encoder.by_region`."""
        index, values = self.encode(photo, condition)
        return dict(zip(index.ids.tolist(), values.cpu(), strict=True))

    @property
    def draws(self) -> bool:
        """Whether there are clusters."""
        return len(self.cluster_counts) > 0

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Features of each instance from the clusters of its class, as often as these occur in the training set.

        An instance of a class without clusters, because the training set had none of it, gets the mean of all
        instances of the training set.

        Args:
            condition: N label maps of size (H, W), with instances.
            random: where to draw from, a generator of the CPU; None draws as :mod:`i2i.draws` says.

        Returns:
            (N, features, H, W).

        Raises:
            InputError: there are no clusters, or the maps have no instances.
        """
        if not self.draws:
            raise InputError(
                "this model has instance features but no clusters to draw them from; find them with i2i "
                "cluster-features, or give a photo as the style"
            )
        index = InstanceIndex.of(condition)
        assert isinstance(condition, SemanticMap), "only label maps have instances"
        if random is None:
            drawn = draws.uniform_rows(torch.bincount(index.maps, minlength=condition.batch).tolist(), 1)
        else:
            drawn = torch.rand(index.count, 1, generator=random)
        own = index.classes(condition.labels, condition.num_classes).cpu()[:, None] == self.cluster_classes.cpu()
        centres, counts = self.cluster_centres.cpu(), self.cluster_counts.cpu().double()
        average = (centres * (counts / counts.sum())[:, None]).sum(0).to(centres.dtype)
        known = own.any(1)
        values = average.repeat(index.count, 1)  # (instances, features)
        shares = (own[known] * counts).cumsum(1)
        values[known] = centres[torch.searchsorted(shares, drawn[known] * shares[:, -1:], right=True)[:, 0]]
        return index.spread(values.to(condition.device))

    def set_clusters(self, centres: Tensor, classes: Tensor, counts: Tensor) -> None:
        """Replace the clusters; see the attributes for the shapes."""
        self.cluster_centres = centres.to(self.cluster_centres)
        self.cluster_classes = classes.to(self.cluster_classes)
        self.cluster_counts = counts.to(self.cluster_counts)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        # How many clusters there are is known from the file alone.
        for name in ("cluster_centres", "cluster_classes", "cluster_counts"):
            found = state_dict.get(prefix + name)
            if isinstance(found, Tensor) and found.shape[1:] == getattr(self, name).shape[1:]:
                setattr(self, name, getattr(self, name).new_empty(found.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
