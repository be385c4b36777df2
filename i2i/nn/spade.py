"""SPADE (Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization"): the generator.

The label map enters at every layer, through the modulation of :mod:`i2i.nn.spade_block`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm
from i2i.nn.pattern_modulation import ModulationMethod, convolve_labels, label_rows
from i2i.nn.prepacked import PackedConvolution
from i2i.nn.spade_block import SPADEResnetBlock, compute_type
from i2i.noise import Patterned
from i2i.pattern_plan import PatternPlan
from i2i.recipe import recorded
from i2i.semantics import SemanticMap
from i2i.styled_map import Noise, Seen, StyledMap

if TYPE_CHECKING:
    from i2i.nn.folded import FoldedSPADE


@recorded
class SPADEGenerator(Generator):
    """From a label map, and a style where the network has one, to a photograph.

    Args:
        label_channels: channels of the condition, ``SemanticMap.channels``.
        style_dim: length of the style vector z; None for a network whose first layer reads the labels instead.
        width: channels of the last layers; the first have 16 times as many.
        upsamplings: doublings between the first map and the photo: 5, 6 or 7 (the original's "normal", "more",
            "most"; 7 adds a last block of half the width).
        norm: what is modulated: features normalised over the batch of all processes (as published), over that of
            each process, per image, or not at all.
        kernel: size of the modulation's convolutions.
        hidden: channels between the labels and γ, β.
        spectral: whether the blocks' convolutions are spectrally normalised.
        base_size: (h, w) of the first map, which the style is projected to; unused without ``style_dim``. For photos
            of another size than ``base_size · 2**upsamplings`` that map is resized.
        shared_input_norm: whether a block normalises its input once for both branches. The two have the same
            statistics, so False is only for converted checkpoints where the stored ones differ.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Attributes:
        modulation: how γ and β are computed, "auto", "dense" or "patterns": a matter of time and not of the function,
            so it is set on the network and not part of its recipe.
    """

    def __init__(
        self,
        label_channels: int,
        style_dim: int | None = None,
        width: int = 64,
        upsamplings: Literal[5, 6, 7] = 5,
        norm: Norm = "global_batch",
        kernel: Literal[3, 5] = 3,
        hidden: int = 128,
        spectral: bool = True,
        base_size: tuple[int, int] = (8, 8),
        shared_input_norm: bool = True,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        self.modulation = "auto"
        if upsamplings not in (5, 6, 7) or kernel not in (3, 5):
            raise InputError(f"upsamplings {upsamplings}, kernel {kernel}; allowed are 5, 6, 7 and 3, 5")
        if width < 1 or (upsamplings == 7 and width < 2):
            least = 2 if upsamplings == 7 else 1
            raise InputError(f"width {width} is too small; {upsamplings} up-samplings need at least {least}")
        self.label_channels = label_channels
        self.style_dim = style_dim
        self.upsamplings = upsamplings
        self.multiple = 1 << upsamplings
        self.norm = norm
        self.shared_input_norm = shared_input_norm
        self.base_size = (base_size[0], base_size[1])  # a recipe gives a list

        channels = self.channels(width, upsamplings)
        if style_dim is None:
            self.first: nn.Module = nn.Conv2d(label_channels, channels[0], 3, padding=1)
        else:
            self.first = nn.Linear(style_dim, channels[0] * self.base_size[0] * self.base_size[1])
        self.blocks = nn.ModuleList(
            SPADEResnetBlock(before, after, label_channels, norm, kernel, hidden, spectral, shared_input_norm)
            for before, after in pairwise(channels)
        )
        self.last: nn.Conv2d | PackedConvolution = nn.Conv2d(channels[-1], 3, 3, padding=1)
        initialise(self, init, gain)

    @property
    def modulation(self) -> ModulationMethod:
        """How γ and β are computed."""
        return self._modulation

    @modulation.setter
    def modulation(self, method: ModulationMethod) -> None:
        if method not in get_args(ModulationMethod):
            raise InputError(f"modulation {method!r} is not known; allowed are {', '.join(get_args(ModulationMethod))}")
        self._modulation = method

    def forward(self, semantics: SemanticMap, style: Tensor | None = None) -> Tensor:
        """Synthesise.

        Args:
            semantics: N label maps of size (H, W), multiples of ``2**upsamplings``.
            style: (N, style_dim); a network without style ignores it, so that both kinds are called alike.

        Returns:
            (N, 3, H, W) in [-1, 1].

        Raises:
            InputError: another number of channels, a size that is no multiple, a style that is missing or of another
                shape.
        """
        self.check(semantics, style)
        return self._synthesise(*self.seen(semantics, style))

    def seen(self, semantics: SemanticMap, style: Tensor | None) -> tuple[Seen, Tensor | None]:
        """What the blocks see at every pixel, and what the first map is made of beside it."""
        return semantics, style

    def through_block(self, number: int, x: Tensor, seen: Seen) -> Tensor:
        """What the block of this number makes of its input, for the map at its size."""
        out: Tensor = self.blocks[number](x, seen, self.modulation)
        return out

    def pixel_noise(self, number: int, seen: Seen) -> Noise:
        """What is added to the features of a block, for the map at its size: nothing."""
        return ()

    def _synthesise(self, seen: Seen, style: Tensor | None) -> Tensor:
        height, width = (side >> self.upsamplings for side in seen.size)
        x = self.first_map(seen.resized(height, width), style)  # (N, 16w, h, w)
        for number, doublings in enumerate(self.doublings):
            x = self.through_block(number, x, seen.resized(height << doublings, width << doublings))
        return torch.tanh(self.last(F.leaky_relu(x, 0.2, inplace=True)))  # (N, 3, H, W)

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor | None:
        """(N, style_dim) of the standard normal distribution; None for a network without style."""
        if self.style_dim is None:
            return None
        if random is None:
            return draws.normal((condition.batch, self.style_dim), condition.device)
        return torch.randn(condition.batch, self.style_dim, generator=random).to(condition.device)

    def fold(self, dtype: torch.dtype | None = None) -> FoldedSPADE:
        """The same function as in evaluation mode, prepared for many pictures: see :class:`i2i.nn.folded.FoldedSPADE`.

        Args:
            dtype: type of the features and the convolutions, such as bfloat16; None for that of the weights.
        """
        from i2i.nn.folded import FoldedSPADE  # only here: the folded network is made from this one

        return FoldedSPADE(self, dtype)

    def first_map(self, semantics: Seen, style: Tensor | None) -> Tensor:
        """(N, 16w, h, w), where the first block starts, for a map (and a style) of that size (h, w)."""
        if self.style_dim is None:
            return self._first_of_labels(semantics)
        assert style is not None
        x: Tensor = self.first(style)
        x = x.view(len(style), -1, *self.base_size)
        if self.modulation != "dense":
            x = x.contiguous(memory_format=torch.channels_last)
        if semantics.size != self.base_size:
            x = F.interpolate(x, size=semantics.size, mode="bilinear", align_corners=False)
        return x

    def _first_of_labels(self, seen: Seen) -> Tensor:
        semantics = seen.semantics if isinstance(seen, StyledMap) else seen
        assert isinstance(self.first, nn.Conv2d) and self.first.bias is not None
        if self.modulation == "dense" or not isinstance(semantics, Patterned):
            x: Tensor = self.first(semantics.dense(compute_type(self.first.weight)))
            return x
        dtype = compute_type(self.last.weight)
        windows = semantics.patterns(*semantics.size, self.first.kernel_size[0]).inner
        with torch.autocast(semantics.device.type, enabled=False):
            table = convolve_labels(label_rows(self.first.weight), self.first.bias, semantics, windows.contents)
            return F.embedding(windows.rows.index, table).permute(0, 3, 1, 2).to(dtype)

    def pattern_plan(self) -> PatternPlan:
        """As :meth:`Generator.pattern_plan`: those of the blocks, where these do not choose the dense way."""
        block = self.blocks[0]
        assert isinstance(block, SPADEResnetBlock)
        return PatternPlan() if block.is_dense(self.modulation) else self._plan(block.modulate_0.kernel)

    def _plan(self, kernel: int) -> PatternPlan:
        sizes = {1 << (self.upsamplings - doublings) for doublings in self.doublings}
        return PatternPlan(frozenset((divisor, kernel) for divisor in sizes))

    @staticmethod
    def channels(width: int, upsamplings: int) -> list[int]:
        """Channels before the first block and behind each."""
        return [width * m for m in (16, 16, 16, 16, 8, 4, 2, 1)] + ([width // 2] if upsamplings == 7 else [])

    @property
    def doublings(self) -> list[int]:
        """How many doublings lie before each block: one more at each, but with 5 the second and third share a size."""
        return [0, 1, 1, 2, 3, 4, 5] if self.upsamplings == 5 else list(range(self.upsamplings + 1))

    def check(self, semantics: SemanticMap, style: Tensor | None) -> None:
        """Raise the errors of :meth:`forward`."""
        if semantics.channels != self.label_channels:
            raise InputError(
                f"the label map has {semantics.channels} channels (classes and edges), "
                f"the generator takes {self.label_channels}"
            )
        height, width = semantics.size
        if height % self.multiple or width % self.multiple:
            raise InputError(
                f"the label map is {height} x {width}; with {self.upsamplings} up-samplings height and width must be "
                f"multiples of {self.multiple}"
            )
        values = (height >> self.upsamplings) * (width >> self.upsamplings)
        if "batch" in self.norm:
            values *= semantics.batch if self.training else 2
        if self.norm != "none" and values == 1:
            raise InputError(
                f"a {height} x {width} label map starts as one pixel after {self.upsamplings} halvings, which "
                f"{self.norm} norm cannot normalise; use larger maps, more of them, or fewer up-samplings"
            )
        self._check_style(semantics, style)

    def _check_style(self, semantics: SemanticMap, style: Tensor | None) -> None:
        wanted = (semantics.batch, self.style_dim)
        if self.style_dim is not None and (style is None or tuple(style.shape) != wanted):
            found = "none" if style is None else f"one of shape {tuple(style.shape)}"
            raise InputError(f"the generator takes a style of shape {wanted}, got {found}")
