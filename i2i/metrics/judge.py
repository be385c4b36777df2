"""A judge: a frozen segmentation network that reads photos, whoever trained it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.metrics.frozen import IMAGENET_MEAN, IMAGENET_STD, FrozenNetwork
from i2i.metrics.segmentation import indices_of


class Judge(FrozenNetwork):
    """Reads photos: (N, 3, H, W) in [-1, 1] -> one of the data set's labels for each pixel.

    Args:
        network: (N, 3, h, w) normalised photos -> (N, K, h', w') logits, (N, h', w') integer labels, or a dict or an
            object whose ``out`` or ``logits`` that is.
        outputs: what each output of the network stands for, as class names of the data set, a name for each of the K.
            Networks for Cityscapes give ``trainIds`` and must name them, since data sets are read as ``labelIds``.
            An empty name is an output that no class of the data set stands for.
        first_label: without names: the label that output 0 stands for. 1 for ADE20K's networks of 150 classes.
        mean: of each channel in [0, 1], subtracted from the photos; ImageNet's by default.
        std: of each channel, by which they are divided then.
        size: (height, width) to which photos are brought for the network, bilinearly; None leaves them as they are.
        name, sha256: see :class:`i2i.metrics.frozen.FrozenNetwork`.
        ignored: names of the classes that it was trained to leave out.
    """

    def __init__(
        self,
        network: nn.Module,
        outputs: Sequence[str] | None = None,
        first_label: int = 0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        size: tuple[int, int] | None = None,
        name: str | None = None,
        sha256: str | None = None,
        ignored: Sequence[str] = (),
    ) -> None:
        super().__init__(network, mean, std, name, sha256)
        self.outputs = None if outputs is None else list(outputs)
        self.first_label = first_label
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.ignored = list(ignored)

    def describe(self) -> dict[str, Any]:
        """What a figure made with this judge has to name."""
        return {
            "judge": self.name,
            "judge sha256": self.sha256,
            "judge size": "as the photos" if self.size is None else f"{self.size[1]}x{self.size[0]}, bilinear",
            **self.normalisation(),
        }

    @torch.no_grad()
    def forward(self, photo: Tensor) -> Tensor:
        """The network's output on (N, 3, H, W) photos in [-1, 1]: (N, K, h, w) logits or (N, h, w) its own labels.

        Raises:
            InputError: the network gives neither, or NaN.
        """
        self.follow(photo)
        pixels = (photo.float().clamp(-1, 1) + 1) / 2
        if self.size is not None and self.size != tuple(photo.shape[-2:]):
            pixels = F.interpolate(pixels, self.size, mode="bilinear", align_corners=False, antialias=True)
        output = _tensor_in(self.network(self.normalised(pixels)))
        integers = output is not None and not output.is_floating_point()
        if output is None or output.dim() != (3 if integers else 4) or len(output) != len(photo):
            shape = type(output).__name__ if output is None else f"{output.dtype} of shape {tuple(output.shape)}"
            raise InputError(
                f"the judge {self.name} gives {shape}; allowed are logits (N, K, h, w) or labels (N, h, w)"
            )
        if not torch.isfinite(output).all():
            raise InputError(f"the judge {self.name} gives values that are NaN or infinite")
        return output

    def read(self, photo: Tensor, names: Sequence[str]) -> Tensor:
        """The labels that the judge sees, at the photos' size: (N, H, W) in [0, C], C meaning none of the classes.

        Logits are brought to that size bilinearly before the largest is taken, integer labels by nearest pixel.

        Args:
            photo: (N, 3, H, W) in [-1, 1].
            names: of the data set's C classes, in the order of its labels.

        Raises:
            InputError: the judge's outputs cannot be told to be the classes.
        """
        output = self(photo)
        size = photo.shape[-2:]
        if output.dim() == 4:
            own = F.interpolate(output, size, mode="bilinear", align_corners=False).argmax(dim=1)
            count = output.shape[1]
        else:
            own = F.interpolate(output[:, None].double(), size, mode="nearest")[:, 0].long()
            count = len(self.outputs) if self.outputs is not None else None
        table = self._labels(count, names)
        if int(own.min()) < 0 or int(own.max()) >= len(table):
            raise InputError(f"the judge {self.name} gives the label {int(own.max())}, but there are {len(table)}")
        return torch.tensor(table, device=own.device)[own]

    def unread(self, names: Sequence[str]) -> list[str]:
        """The classes that the judge cannot or should not name: what to ignore where nothing else is said."""
        if self.outputs is not None:
            return [name for name in names if name not in self.outputs or name in self.ignored]
        return [name for index, name in enumerate(names) if index < self.first_label or name in self.ignored]

    def _labels(self, count: int | None, names: Sequence[str]) -> list[int]:
        """The label of each output."""
        names = list(names)
        if self.outputs is not None:
            if count != len(self.outputs):
                raise InputError(f"the judge {self.name} has {count} outputs, but {len(self.outputs)} were named")
            named = [name for name in self.outputs if name]
            known = dict(zip(named, indices_of(names, named, f"outputs of the judge {self.name}"), strict=True))
            return [known.get(name, len(names)) for name in self.outputs]
        count = len(names) - self.first_label if count is None else count
        if count + self.first_label != len(names):
            raise InputError(
                f"the judge {self.name} has {count} outputs and the data set {len(names)} classes: say what the "
                "outputs stand for, by `outputs` (for Cityscapes' trainIds: configs/judges/cityscapes_train_ids.yaml) "
                "or by `first_label`"
            )
        return list(range(self.first_label, len(names)))


def _tensor_in(output: Any) -> Tensor | None:
    for name in ("out", "logits"):
        if isinstance(output, dict) and name in output:
            output = output[name]
        elif hasattr(output, name):
            output = getattr(output, name)
    return output if isinstance(output, Tensor) else None
