"""The SPADE generator that grows (Park et al. 2019, Karras et al. 2018)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.folded import FoldedSPADE
from i2i.nn.folded_block import packed
from i2i.nn.growth import Growing, Growth
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm
from i2i.nn.spade import SPADEGenerator
from i2i.recipe import recorded
from i2i.styled_map import Seen


@recorded
class ProgressiveSPADEGenerator(SPADEGenerator, Growing):
    """SPADE's generator whose last blocks come one after the other; grown out it is :class:`SPADEGenerator` itself.

    It begins with the blocks whose features are ``2**stages`` times smaller than the photo. The first map is the same
    as ever, the blocks see the label map at the same sizes as ever, and the maps that it takes are those of the full
    size. Its pictures are of that size, too, at every moment: what it makes while it is smaller is repeated pixel by
    pixel, so previews, figures and a model that was saved in between are comparable. The losses see the picture
    as it was made, beside the photo and the labels of its size.

    A network is made grown out; :class:`i2i.callbacks.growth.Grow` makes it small and grow.

    Args:
        label_channels: channels of the condition.
        stages: doublings that come during the training, 1 to ``upsamplings``: with 2, photos of 256 × 256 begin as
            64 × 64.
        style_dim, width, upsamplings, norm, kernel, hidden, spectral, base_size, shared_input_norm, init, gain: see
            :class:`SPADEGenerator`.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        label_channels: int,
        stages: int = 2,
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
        shape = (style_dim, width, upsamplings, norm, kernel, hidden, spectral, base_size, shared_input_norm)
        super().__init__(label_channels, *shape, init, gain)
        if not 1 <= stages <= upsamplings:
            raise InputError(f"stages is {stages}; with {upsamplings} up-samplings allowed are 1 to {upsamplings}")
        self.growth = Growth(stages)
        channels = self.channels(width, upsamplings)
        counts = [sum(stage <= number for stage in self.stage_of) for number in range(stages)]
        self.heads = nn.ModuleList(nn.Conv2d(channels[count], 3, 3, padding=1) for count in counts)  # before the last
        initialise(self.heads, init, gain)
        self.release()

    @property
    def stage_of(self) -> list[int]:
        """The stage of each block."""
        return [max(0, doublings - self.upsamplings + self.growth.stages) for doublings in self.doublings]

    def parts(self, stage: int) -> tuple[list[nn.Module], nn.Module]:
        """As :meth:`Growing.parts`; what makes the first map belongs to stage 0."""
        body = [block for block, its in zip(self.blocks, self.stage_of, strict=True) if its == stage]
        return body if stage else [self.first, *body], self.head(stage)

    def head(self, stage: int) -> nn.Module:
        """What turns the features of a stage into a picture."""
        return self.last if stage == self.growth.stages else self.heads[stage]

    def compared(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """As :meth:`i2i.nn.generator.Generator.compared`."""
        return self.growth.compared(condition, fake, real)

    def _synthesise(self, seen: Seen, style: Tensor | None) -> Tensor:
        height, width = (side >> self.upsamplings for side in seen.size)

        def stage(number: int, x: Tensor) -> Tensor:
            for i, (doublings, its) in enumerate(zip(self.doublings, self.stage_of, strict=True)):
                if its == number:
                    x = self.through_block(i, x, seen.resized(height << doublings, width << doublings))
            return x

        def head(number: int, x: Tensor) -> Tensor:
            return torch.tanh(self.head(number)(F.leaky_relu(x, 0.2)))

        return self.growth.picture(self.first_map(seen.resized(height, width), style), stage, head)

    def fold(self, dtype: torch.dtype | None = None) -> FoldedSPADE:
        """As :meth:`SPADEGenerator.fold`; grown out it is prepared as any other."""
        return FoldedSPADE(self, dtype) if self.growth.done else FoldedProgressiveSPADE(self, dtype)


class FoldedProgressiveSPADE(FoldedSPADE, ProgressiveSPADEGenerator):
    """What :meth:`ProgressiveSPADEGenerator.fold` returns of a network that is to grow on."""

    def __init__(self, generator: ProgressiveSPADEGenerator, dtype: torch.dtype | None = None) -> None:
        super().__init__(generator, dtype)
        self.growth = Growth(generator.growth.stages)
        self.growth.now = generator.growth.now
        self.heads = nn.ModuleList(packed(head, dtype) for head in generator.heads if isinstance(head, nn.Conv2d))
        self.eval().requires_grad_(False)
