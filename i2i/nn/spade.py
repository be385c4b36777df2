"""SPADE (Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization"): the generator.

The label map enters at every layer: features are normalised, then scaled and shifted by maps γ and β that are
computed from the labels around each pixel.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm, param_free_norm
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.recipe import recorded
from i2i.semantics import SemanticMap


@recorded
class SPADEGenerator(nn.Module):
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
        if upsamplings not in (5, 6, 7) or kernel not in (3, 5):
            raise InputError(f"upsamplings {upsamplings}, kernel {kernel}; allowed are 5, 6, 7 and 3, 5")
        if width < 1 or (upsamplings == 7 and width < 2):
            raise InputError(f"width {width} is too small; {upsamplings} up-samplings need at least {upsamplings // 6}")
        self.label_channels = label_channels
        self.style_dim = style_dim
        self.upsamplings = upsamplings
        self.norm = norm
        self.shared_input_norm = shared_input_norm
        self.base_size = (base_size[0], base_size[1])  # a recipe gives a list

        multiples = [16, 16, 16, 16, 8, 4, 2, 1]
        channels = [width * m for m in multiples] + ([width // 2] if upsamplings == 7 else [])
        if style_dim is None:
            self.first: nn.Module = nn.Conv2d(label_channels, channels[0], 3, padding=1)
        else:
            self.first = nn.Linear(style_dim, channels[0] * self.base_size[0] * self.base_size[1])
        self.blocks = nn.ModuleList(
            SPADEResnetBlock(before, after, label_channels, norm, kernel, hidden, spectral, shared_input_norm)
            for before, after in pairwise(channels)
        )
        self.last = nn.Conv2d(channels[-1], 3, 3, padding=1)
        initialise(self, init, gain)

    @property
    def multiple(self) -> int:
        """Height and width of a label map must be multiples of this."""
        return 1 << self.upsamplings

    def forward(self, semantics: SemanticMap, style: Tensor | None = None) -> Tensor:
        """Synthesise.

        Args:
            semantics: N label maps of size (H, W), multiples of :attr:`multiple`.
            style: (N, style_dim); a network without style ignores it, so that both kinds are called alike.

        Returns:
            (N, 3, H, W) in [-1, 1].

        Raises:
            InputError: another number of channels, a size that is no multiple, a style that is missing or of another
                shape.
        """
        self._check(semantics, style)
        height, width = (side >> self.upsamplings for side in semantics.size)
        x = self._first_map(semantics.resized(height, width), style)  # (N, 16w, h, w)
        for block, doublings in zip(self.blocks, self._doublings(), strict=True):
            x = block(x, semantics.resized(height << doublings, width << doublings))
        return torch.tanh(self.last(F.leaky_relu(x, 0.2)))  # (N, 3, H, W)

    def _first_map(self, semantics: SemanticMap, style: Tensor | None) -> Tensor:
        if self.style_dim is None:
            x: Tensor = self.first(semantics.one_hot(_compute_type(self.last.weight)))
            return x
        assert style is not None
        x = self.first(style)
        x = x.view(len(style), -1, *self.base_size)
        if semantics.size != self.base_size:
            x = F.interpolate(x, size=semantics.size, mode="bilinear", align_corners=False)
        return x

    def _doublings(self) -> list[int]:
        """How many doublings lie before each block: one more at each, but with 5 the second and third share a size."""
        return [0, 1, 1, 2, 3, 4, 5] if self.upsamplings == 5 else list(range(self.upsamplings + 1))

    def _check(self, semantics: SemanticMap, style: Tensor | None) -> None:
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
        wanted = (semantics.batch, self.style_dim)
        if self.style_dim is not None and (style is None or tuple(style.shape) != wanted):
            found = "none" if style is None else f"one of shape {tuple(style.shape)}"
            raise InputError(f"the generator takes a style of shape {wanted}, got {found}")


class SPADEResnetBlock(nn.Module):
    """Two convolutions, each after modulation, beside a shortcut that is learned where the channels change.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; the fewer of the two lie between the convolutions.
        label_channels: channels of the condition.
        norm, kernel, hidden, spectral, shared_input_norm: see :class:`SPADEGenerator`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        label_channels: int,
        norm: Norm = "global_batch",
        kernel: Literal[3, 5] = 3,
        hidden: int = 128,
        spectral: bool = True,
        shared_input_norm: bool = True,
    ) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)

        def conv(before: int, after: int, size: int, bias: bool) -> nn.Conv2d:
            layer = nn.Conv2d(before, after, size, padding=size // 2, bias=bias)
            return under_spectral_norm(layer) if spectral else layer

        self.normalise_0 = param_free_norm(norm, in_channels)
        self.modulate_0 = Modulation(label_channels, in_channels, hidden, kernel)
        self.conv_0 = conv(in_channels, middle, 3, bias=True)
        self.normalise_1 = param_free_norm(norm, middle)
        self.modulate_1 = Modulation(label_channels, middle, hidden, kernel)
        self.conv_1 = conv(middle, out_channels, 3, bias=True)
        self.learned_shortcut = in_channels != out_channels
        self.normalise_s: nn.Module | None = None
        if self.learned_shortcut:
            if not shared_input_norm:
                self.normalise_s = param_free_norm(norm, in_channels)
            self.modulate_s = Modulation(label_channels, in_channels, hidden, kernel)
            self.conv_s = conv(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor, semantics: SemanticMap) -> Tensor:
        """(N, in_channels, h, w) and the map at the block's size -> (N, out_channels, H, W) of that size.

        Where the map is larger than the features, these are up-sampled first (nearest neighbour).
        """
        if tuple(x.shape[-2:]) != semantics.size:
            x = F.interpolate(x, size=semantics.size, mode="nearest")
        normalised = self.normalise_0(x)
        dx: Tensor = self.conv_0(F.leaky_relu(self.modulate_0(normalised, semantics), 0.2))
        dx = self.conv_1(F.leaky_relu(self.modulate_1(self.normalise_1(dx), semantics), 0.2))
        if not self.learned_shortcut:
            return x + dx
        if self.normalise_s is not None:
            normalised = self.normalise_s(x)
        shortcut: Tensor = self.conv_s(self.modulate_s(normalised, semantics))
        return dx + shortcut


class Modulation(nn.Module):
    """SPADE's affine map: ``x · (1 + γ) + β``, with γ and β convolved from the labels.

    γ and β at a pixel depend on the labels within ``kernel − 1`` pixels of it (a 5×5 window for kernel 3).

    Args:
        label_channels: channels of the condition.
        features: channels of what is modulated.
        hidden: channels between the two convolutions.
        kernel: size of both convolutions.
    """

    def __init__(self, label_channels: int, features: int, hidden: int = 128, kernel: int = 3) -> None:
        super().__init__()
        self.shared = nn.Conv2d(label_channels, hidden, kernel, padding=kernel // 2)
        self.gamma = nn.Conv2d(hidden, features, kernel, padding=kernel // 2)
        self.beta = nn.Conv2d(hidden, features, kernel, padding=kernel // 2)

    def forward(self, normalised: Tensor, semantics: SemanticMap) -> Tensor:
        """(N, features, H, W) and the map of the same size -> (N, features, H, W)."""
        hidden = F.relu(self.shared(semantics.one_hot(_compute_type(self.shared.weight))))  # (N, hidden, H, W)
        out: Tensor = normalised * (1 + self.gamma(hidden)) + self.beta(hidden)
        return out


def _compute_type(weight: Tensor) -> torch.dtype:
    """The type convolutions compute in, so that a one-hot tensor is made in it once and not cast at every layer."""
    kind = weight.device.type
    dtype: torch.dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
    return dtype
