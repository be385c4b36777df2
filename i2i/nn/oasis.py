"""The generator of OASIS (Sushko et al. 2021): SPADE's blocks, with noise beside the labels in all of them.

There is no style vector at the start. Instead every pixel has a noise vector beside its label, in every modulation and
in the first layer. In training it is the same all over an image; at inference the noise of some classes alone can be
drawn anew, and the picture changes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.label_regions import FoundRegions, image_regions, regions_of
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm
from i2i.nn.prepacked import PackedConvolution
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import SPADEResnetBlock
from i2i.noise import NoisyMap, PixelNoiseMap, RegionNoiseMap
from i2i.pattern_plan import PatternPlan
from i2i.recipe import recorded
from i2i.semantics import SemanticMap
from i2i.styled_map import Seen

if TYPE_CHECKING:
    from i2i.nn.folded import FoldedOASIS

Noise = Literal["image", "class", "instance", "pixel"]
"""Which pixels share a noise vector that is drawn: those of an image (as published), those of one class in an image,
those of one instance, or none."""

_MULTIPLES = (16, 16, 16, 8, 4, 2, 1)


@recorded
class OASISGenerator(SPADEGenerator):
    """Six SPADE residual blocks with five up-samplings between them.

    A style is the noise, and may have any of these forms, whatever kind the network draws:

    - (N, Z): a vector for each image;
    - (N, K, Z): for each region of each image: a class (K is the number of classes), or, for a network of
      ``noise="instance"``, an instance (in the order of class and id; K of the image that has most);
    - (N, Z, H, W): for each pixel. These networks are computed with dense maps, and are slower.

    Args:
        label_channels: channels of the condition, ``SemanticMap.channels``.
        noise_channels: length Z of a noise vector.
        noise: which pixels share one when :meth:`draw` draws.
        width: channels of the last layers; the first have 16 times as many.
        norm: what is modulated; see :class:`i2i.nn.spade.SPADEGenerator`.
        kernel: size of the modulation's convolutions.
        hidden: channels between the labels and γ, β.
        spectral: whether the blocks' convolutions are spectrally normalised.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        label_channels: int,
        noise_channels: int = 64,
        noise: Noise = "image",
        width: int = 64,
        norm: Norm = "global_batch",
        kernel: Literal[3, 5] = 3,
        hidden: int = 128,
        spectral: bool = True,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        nn.Module.__init__(self)  # the parts are others than those of the parent
        if kernel not in (3, 5):
            raise InputError(f"kernel is {kernel}; allowed are 3, 5")
        if noise_channels < 1 or width < 1 or hidden < 1:
            raise InputError(
                f"noise_channels {noise_channels}, width {width}, hidden {hidden}; each must be at least 1"
            )
        self.modulation = "auto"
        self.label_channels = label_channels
        self.noise_channels = noise_channels
        self.noise: Noise = noise
        self.style_dim = noise_channels if noise == "image" else None
        self.upsamplings = 5
        self.multiple = 1 << 5
        self.norm = norm

        channels = [width * m for m in _MULTIPLES]
        seen = label_channels + noise_channels
        self.first = nn.Conv2d(seen, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            SPADEResnetBlock(before, after, seen, norm, kernel, hidden, spectral)
            for before, after in pairwise(channels)
        )
        self.last: nn.Conv2d | PackedConvolution = nn.Conv2d(channels[-1], 3, 3, padding=1)
        initialise(self, init, gain)

    def forward(self, semantics: SemanticMap, style: Tensor | None = None) -> Tensor:
        """Synthesise.

        Args:
            semantics: N label maps of size (H, W), multiples of 32.
            style: the noise, in one of the forms above.

        Returns:
            (N, 3, H, W) in [-1, 1].

        Raises:
            InputError: channels, sizes or noise that do not fit.
        """
        self.check(semantics, style)
        return self._synthesise(*self.seen(semantics, style))

    def seen(self, semantics: SemanticMap, style: Tensor | None) -> tuple[NoisyMap, None]:
        """The map with the noise beside the labels."""
        assert style is not None
        return self._noisy(semantics, style), None

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Standard normal noise of the kind ``noise``, in the form that is told above.

        Raises:
            InputError: noise for each instance of a map without instances.
        """
        semantics = _label_map(condition)
        shape: tuple[int, ...] = (semantics.batch, self.noise_channels)
        if self.noise == "pixel":
            shape = (*shape, *semantics.size)
        elif self.noise == "class":
            shape = (semantics.batch, semantics.num_classes, self.noise_channels)
        elif self.noise == "instance":
            found = self._regions(semantics)
            shape = (semantics.batch, found.places, self.noise_channels)
            if random is None:  # so many for each map, however many another one has
                counts = torch.bincount(found.image, minlength=semantics.batch).tolist()
                noise = torch.zeros(shape, device=semantics.device)
                noise[found.image, found.place] = draws.normal_rows(counts, self.noise_channels, semantics.device)
                return noise
        if random is None:
            return draws.normal(shape, semantics.device)
        return torch.randn(shape, generator=random).to(semantics.device)

    def resampled(self, condition: Condition, style: Tensor, fresh: Tensor, classes: Sequence[int]) -> Tensor:
        """The noise ``style``, but ``fresh`` in the regions of some classes.

        The picture changes there, and around as far as the network's receptive field reaches: about 200 pixels.

        Args:
            condition: the batch.
            style: of the form that :meth:`draw` gives.
            fresh: alike.
            classes: labels.
        """
        semantics = _label_map(condition)
        named = torch.tensor(list(classes), device=semantics.device)
        if self.noise == "pixel":
            return torch.where(torch.isin(semantics.labels, named)[:, None], fresh, style)
        if self.noise == "image":
            style, fresh = (z[:, None].expand(-1, semantics.num_classes, -1) for z in (style, fresh))
        found = self._regions(semantics)
        changed = torch.zeros_like(style[..., :1], dtype=torch.bool)  # (N, K, 1)
        changed[found.image, found.place] = torch.isin(found.label, named)[:, None]
        return torch.where(changed, fresh, style)

    def fold(self, dtype: torch.dtype | None = None) -> FoldedOASIS:
        """As :meth:`SPADEGenerator.fold`."""
        from i2i.nn.folded import FoldedOASIS  # only here: the folded network is made from this one

        return FoldedOASIS(self, dtype)

    def pattern_plan(self) -> PatternPlan:
        """None: the noise decides about the patterns, too."""
        return PatternPlan()

    @property
    def doublings(self) -> list[int]:
        """How many doublings lie before each block: one more at each."""
        return list(range(len(_MULTIPLES) - 1))

    def first_map(self, semantics: Seen, style: Tensor | None) -> Tensor:
        """(N, 16w, h, w), the convolved labels and noise of a map of that size (h, w)."""
        return self._first_of_labels(semantics)

    def _check_style(self, semantics: SemanticMap, style: Tensor | None) -> None:
        count, channels = semantics.batch, self.noise_channels
        allowed: list[tuple[int, ...]] = [(count, channels), (count, channels, *semantics.size)]
        if style is not None and style.dim() == 3:
            allowed.append((count, self._regions(semantics).places, channels))
        if style is None or tuple(style.shape) not in allowed:
            found = "none" if style is None else f"noise of shape {tuple(style.shape)}"
            raise InputError(f"the generator takes noise of shape {' or '.join(map(str, allowed))}, got {found}")

    def _noisy(self, semantics: SemanticMap, noise: Tensor) -> NoisyMap:
        """The map with noise of any form. What is found of a map is kept with it, for further noise."""
        if noise.dim() == 4:
            return PixelNoiseMap(semantics, noise)
        if noise.dim() == 2:
            regions = semantics.kept_for(image_regions, lambda: image_regions(semantics))
            return RegionNoiseMap(semantics, regions, noise)
        found = self._regions(semantics)
        return RegionNoiseMap(semantics, found.regions, found.chosen(noise))

    def _regions(self, semantics: SemanticMap) -> FoundRegions:
        """Of the instances for a network of noise for each, else of the classes."""
        return regions_of(semantics, "instance" if self.noise == "instance" else "class")


def _label_map(condition: Condition) -> SemanticMap:
    if not isinstance(condition, SemanticMap):
        raise InputError(f"the OASIS generator takes label maps, not a {type(condition).__name__}")
    return condition
