"""SEAN's style encoder (Zhu et al. 2020, section 3.1): what each region of a photo looks like, as one code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.label_regions import FoundRegions, RegionKind, regions_of
from i2i.nn.init import Init, initialise
from i2i.nn.instances import sums_of_regions
from i2i.nn.norm import Norm
from i2i.nn.residual import check_sizes, doubling, halving, same_size
from i2i.nn.seen_styles import SeenStyles
from i2i.nn.style import Encoder
from i2i.recipe import recorded
from i2i.semantics import SemanticMap


@recorded
class RegionEncoder(Encoder):
    """Photo -> features of half its size, which are averaged inside each region: the region's style code.

    A class that the photo has not gets the mean code that it had in training, and one that was never seen the mean of
    all classes; so does a region that is too small to have a pixel at half the size. These means, and the styles of
    some photos to draw from, are part of the network's state: see :class:`i2i.nn.seen_styles.SeenStyles`.

    Args:
        num_classes: classes of the label maps.
        region_channels: length of a style code (published: 512).
        regions: what a region is; see :data:`i2i.label_regions.RegionKind`. An instance that has no code of its own has
            that of its class.
        width: channels of the first layer; two halvings double them, a doubling of the size doubles them again.
        norm: normalisation after every convolution but the last. Instance norm, as published, takes the mean of a whole
            photo away: codes tell how a region differs from its photo. With "none" they are of the region alone.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.
        remembered: photos of the training whose styles are kept to draw from.

    Raises:
        InputError: a number is too small.
    """

    regions: RegionKind

    def __init__(
        self,
        num_classes: int,
        region_channels: int = 512,
        regions: RegionKind = "class",
        width: int = 32,
        norm: Norm = "instance",
        init: Init = "xavier",
        gain: float = 0.02,
        remembered: int = 64,
    ) -> None:
        super().__init__()
        check_sizes(num_classes=(num_classes, 1), region_channels=(region_channels, 1), width=(width, 1))
        check_sizes(remembered=(remembered, 1))
        self.num_classes = num_classes
        self.region_channels = region_channels
        self.regions = regions
        self.layers = nn.Sequential(
            same_size(3, width, 3, norm),
            halving(width, 2 * width, norm),
            halving(2 * width, 4 * width, norm),
            doubling(4 * width, 8 * width, norm),
            nn.Conv2d(8 * width, region_channels, 3, padding=1, padding_mode="reflect"),
            nn.Tanh(),
        )
        self.seen = SeenStyles(num_classes, region_channels, remembered)
        initialise(self, init, gain)

    def forward(self, photo: Tensor, condition: Condition) -> tuple[Tensor, None]:
        """Encode photos.

        Args:
            photo: (N, 3, H, W) in [-1, 1]. Where a side is no multiple of 4, its border is repeated.
            condition: the N label maps of these photos.

        Returns:
            The code of each region, (N, K, region_channels) in [-1, 1], in the order that
            :class:`i2i.nn.sean.SEANGenerator` tells; and None: there is no variance.

        Raises:
            InputError: no label maps, of another size, of other classes, or without the instances that are asked for.
        """
        found, codes, there = self._encode(photo, condition)
        of_photos = self._by_class(len(photo), found, codes, there)
        if self.training:
            self.seen.remember(*of_photos)
        means = self.seen.filled(*of_photos)
        if self.regions == "class":
            return means, None
        own = means[found.image, found.label]
        placed = means.new_zeros(len(photo), found.places, self.region_channels)
        return placed.index_put((found.image, found.place), torch.where(there[:, None], codes, own)), None

    def by_class(self, photo: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """The mean code of each class in each photo, (N, classes, region_channels), and which there are, (N, classes).

        Args and raises: see :meth:`forward`.
        """
        return self._by_class(len(photo), *self._encode(photo, condition))

    def by_region(self, photo: Tensor, condition: Condition) -> dict[int, Tensor]:
        """As :meth:`Encoder.by_region`. Regions without a pixel at half the size are left out."""
        found, codes, there = self._encode(photo, condition)
        return dict(zip(found.id[there].tolist(), codes[there].cpu(), strict=True))

    @property
    def draws(self) -> bool:
        """Whether it was trained."""
        return self.seen.count > 0

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """For each map the style of one photo of the training; instances have that of their class.

        Args:
            condition: N label maps.
            random: where to draw from, a generator of the CPU; None draws as :mod:`i2i.draws` says.

        Returns:
            (N, K, region_channels).
        """
        semantics = self._checked(condition)
        return self.of_classes(self.seen.draw(semantics.batch, random).to(semantics.device), semantics)

    def of_classes(self, codes: Tensor, condition: Condition) -> Tensor:
        """Styles of label maps from the codes of the classes, (N, classes, region_channels)."""
        if self.regions == "class":
            return codes
        return regions_of(self._checked(condition), self.regions).of_classes(codes)

    def _encode(self, photo: Tensor, condition: Condition) -> tuple[FoundRegions, Tensor, Tensor]:
        """The regions, the mean features of each, (R, region_channels), and which have a pixel at half the size."""
        semantics = self._checked(condition)
        height, width = semantics.size
        if tuple(photo.shape) != (semantics.batch, 3, height, width):
            wanted = (semantics.batch, 3, height, width)
            raise InputError(f"the photos have shape {tuple(photo.shape)}; these label maps ask for {wanted}")
        found = regions_of(semantics, self.regions)
        below, right = (max(-(-side // 4), 2) * 4 - side for side in (height, width))
        features = self.layers(F.pad(photo, (0, right, 0, below), mode="replicate") if below or right else photo)
        of_pixel = found.regions.index[:, ::2, ::2]  # the nearest at half the size
        features = features[:, :, : of_pixel.shape[1], : of_pixel.shape[2]]
        count = found.regions.count
        pixels = torch.bincount(of_pixel.flatten(), minlength=count)
        codes = sums_of_regions(features, of_pixel, count) / pixels.clamp(min=1)[:, None]
        return found, codes, pixels > 0

    def _by_class(self, photos: int, found: FoundRegions, codes: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Means over the regions of each class."""
        places = photos * self.num_classes
        place = found.image * self.num_classes + found.label
        sums = codes.new_zeros(places, self.region_channels).index_add(0, place, codes)
        regions = there.new_zeros(places, dtype=torch.long).index_add(0, place, there.long())
        means = sums / regions.clamp(min=1)[:, None]
        return means.view(photos, self.num_classes, -1), (regions > 0).view(photos, -1)

    def _checked(self, condition: Condition) -> SemanticMap:
        if not isinstance(condition, SemanticMap):
            raise InputError(f"the styles of regions are those of label maps, not of a {type(condition).__name__}")
        if condition.num_classes != self.num_classes:
            raise InputError(f"the label map is of {condition.num_classes} classes, the encoder of {self.num_classes}")
        return condition
