"""The generator of SEAN (Zhu et al. 2020): SPADE's, with a style code for every region in all blocks but the last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.label_regions import RegionKind, regions_of
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm
from i2i.nn.prepacked import PackedConvolution
from i2i.nn.residual import check_sizes
from i2i.nn.sean_block import SEANResnetBlock
from i2i.nn.spade import SPADEGenerator
from i2i.pattern_plan import PatternPlan
from i2i.recipe import recorded
from i2i.semantics import SemanticMap
from i2i.styled_map import Noise, Seen, StyledMap

if TYPE_CHECKING:
    from i2i.nn.folded_sean import FoldedSEAN


@recorded
class SEANGenerator(SPADEGenerator):
    """From a label map and a style code for each of its regions to a photograph.

    A style is (N, K, region_channels). Where a region is all of a class, K is the number of classes, and the codes of
    classes that a map has not are ignored: so the codes of one photo serve any map, and codes of several photos are
    mixed by taking rows. Where a region is an instance, K is the number of instances of the image that has most; they
    stand in the order of class and id (see :func:`i2i.label_regions.instance_regions`).

    In training the noise of every pixel is drawn from torch's global generator; in evaluation mode it is always the
    same for a size, so that a picture is a function of map and style.

    Args:
        label_channels: channels of the condition, ``SemanticMap.channels``.
        num_classes: classes of the label maps.
        region_channels: length of a style code, before and after the transforms (published: 512).
        regions: what a region is; see :data:`i2i.label_regions.RegionKind`.
        noise: whether noise is added in every modulation.
        width: channels of the last layers; the first have 16 times as many.
        upsamplings: doublings between the first map and the photo; see :class:`i2i.nn.spade.SPADEGenerator`.
        norm: what is modulated; see there.
        kernel: size of the modulation's convolutions.
        hidden: channels between the labels and their γ, β.
        spectral: whether the blocks' convolutions are spectrally normalised.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Raises:
        InputError: a number out of range.
    """

    regions: RegionKind

    def __init__(
        self,
        label_channels: int,
        num_classes: int,
        region_channels: int = 512,
        regions: RegionKind = "class",
        noise: bool = True,
        width: int = 64,
        upsamplings: Literal[5, 6, 7] = 5,
        norm: Norm = "global_batch",
        kernel: Literal[3, 5] = 3,
        hidden: int = 128,
        spectral: bool = True,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        nn.Module.__init__(self)  # the parts are others than those of the parent
        if upsamplings not in (5, 6, 7) or kernel not in (3, 5):
            raise InputError(f"upsamplings {upsamplings}, kernel {kernel}; allowed are 5, 6, 7 and 3, 5")
        check_sizes(region_channels=(region_channels, 1), hidden=(hidden, 1), width=(width, 1 + (upsamplings == 7)))
        self.modulation = "auto"
        self.label_channels = label_channels
        self.num_classes = num_classes
        self.style_dim = None
        self.region_channels = region_channels
        self.regions = regions
        self.noise = noise
        self.upsamplings = upsamplings
        self.multiple = 1 << upsamplings
        self.norm = norm

        channels = self.channels(width, upsamplings)
        self.first = nn.Conv2d(label_channels, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for before, after in pairwise(channels):
            styles = region_channels if len(self.blocks) < len(channels) - 2 else 0
            parts = (before, after, label_channels, num_classes, styles, noise, norm, kernel, hidden, spectral)
            self.blocks.append(SEANResnetBlock(*parts))
        self.last: nn.Conv2d | PackedConvolution = nn.Conv2d(channels[-1], 3, 3, padding=1)
        initialise(self, init, gain)

    def forward(self, semantics: SemanticMap, style: Tensor | None = None) -> Tensor:
        """Synthesise.

        Args:
            semantics: N label maps of size (H, W), multiples of ``2**upsamplings``.
            style: (N, K, region_channels); see above.

        Returns:
            (N, 3, H, W) in [-1, 1].

        Raises:
            InputError: channels, sizes or styles that do not fit; no instances where they are the regions.
        """
        return super().forward(semantics, style)

    def seen(self, semantics: SemanticMap, style: Tensor | None) -> tuple[StyledMap, None]:
        """The map with the style codes of its regions."""
        assert style is not None
        found = regions_of(semantics, self.regions)
        return StyledMap(semantics, found.regions, found.label, found.chosen(style)), None

    def through_block(self, number: int, x: Tensor, seen: Seen) -> Tensor:
        """As :meth:`SPADEGenerator.through_block`."""
        out: Tensor = self.blocks[number](x, seen, self.pixel_noise(number, seen), self.modulation)
        return out

    def pixel_noise(self, number: int, seen: Seen) -> Noise:
        """Of the three modulations of a block."""
        if not self.noise:
            return None, None, None
        if self.training:
            return tuple(torch.randn(seen.batch, 1, *seen.size, device=seen.device) for _ in range(3))
        random = torch.Generator().manual_seed(number)  # the same for all images: no picture depends on its batch
        return tuple(torch.randn(1, 1, *seen.size, generator=random, device="cpu").to(seen.device) for _ in range(3))

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Style codes of the standard normal distribution, (N, K, region_channels): for training without an encoder.

        Raises:
            InputError: the regions are instances, and the maps have none.
        """
        semantics = _label_map(condition)
        places = self.num_classes if self.regions == "class" else regions_of(semantics, self.regions).places
        device = semantics.device if random is None else "cpu"
        shape = (semantics.batch, places, self.region_channels)
        return torch.randn(shape, generator=random, device=device).to(semantics.device)

    def resampled(self, condition: Condition, style: Tensor, fresh: Tensor, classes: Sequence[int]) -> Tensor:
        """The codes ``style``, but ``fresh`` in the regions of some classes.

        Args:
            condition: the batch.
            style: of the form that :meth:`draw` gives.
            fresh: alike.
            classes: labels.
        """
        semantics = _label_map(condition)
        found = regions_of(semantics, self.regions)
        named = torch.isin(found.label, torch.tensor(list(classes), device=semantics.device))
        changed = torch.zeros_like(style[..., :1], dtype=torch.bool)  # (N, K, 1)
        changed[found.image, found.place] = named[:, None]
        return torch.where(changed, fresh, style)

    def fold(self, dtype: torch.dtype | None = None) -> FoldedSEAN:
        """As :meth:`SPADEGenerator.fold`."""
        from i2i.nn.folded_sean import FoldedSEAN  # only here: the folded network is made from this one

        return FoldedSEAN(self, dtype)

    def first_map(self, semantics: Seen, style: Tensor | None) -> Tensor:
        """(N, 16w, h, w), the convolved labels of a map of that size (h, w)."""
        return self._first_of_labels(semantics)

    def pattern_plan(self) -> PatternPlan:
        """As :meth:`SPADEGenerator.pattern_plan`: those of labels; the regions' are found in the step."""
        block = self.blocks[0]
        assert isinstance(block, SEANResnetBlock)
        return PatternPlan() if block.is_dense(self.modulation) else self._plan(block.modulate_0.labels.kernel)

    def _check_style(self, semantics: SemanticMap, style: Tensor | None) -> None:
        if semantics.num_classes != self.num_classes:
            raise InputError(
                f"the label map is of {semantics.num_classes} classes, the generator of {self.num_classes}"
            )
        places = self.num_classes
        if self.regions == "instance":
            places = regions_of(semantics, self.regions).places
        wanted = (semantics.batch, places, self.region_channels)
        if style is None or tuple(style.shape) != wanted:
            found = "none" if style is None else f"some of shape {tuple(style.shape)}"
            raise InputError(f"the generator takes style codes of shape {wanted}, got {found}")


def _label_map(condition: Condition) -> SemanticMap:
    if not isinstance(condition, SemanticMap):
        raise InputError(f"the SEAN generator takes label maps, not a {type(condition).__name__}")
    return condition
