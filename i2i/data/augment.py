"""The random part of the preparation, with albumentations: photo and condition go through one composition."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else its import asks the network for a newer version

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from i2i.data.transforms import Resize, stretch_map, stretch_photo

Array = NDArray[Any]


class Augmentation:
    """Stretch, crop at random, mirror, change colours. A pure function of its arguments; no global random state.

    Args:
        resize: gives the size to stretch to and the size of the crop.
        flip: probability of mirroring left to right.
        colour_jitter: strength of the colour changes, 0 to 1; see :class:`i2i.data.transforms.Preparation`.
    """

    def __init__(self, resize: Resize, flip: float, colour_jitter: float) -> None:
        steps: list[A.BasicTransform] = [_Stretch(resize)]
        if resize.size is not None:
            steps.append(A.RandomCrop(*resize.size))
        if flip:
            steps.append(A.HorizontalFlip(p=flip))
        if colour_jitter:
            around_one = (1 - colour_jitter, 1 + colour_jitter)
            hue = (-colour_jitter / 10, colour_jitter / 10)
            steps.append(A.ColorJitter(around_one, around_one, around_one, hue, p=1.0))
        self.steps = steps
        self.compose = A.Compose(steps, additional_targets=dict.fromkeys(("labels", "instances", "condition"), "mask"))

    def __call__(
        self, photo: NDArray[np.uint8], maps: dict[str, Array], seed: int
    ) -> tuple[NDArray[np.uint8], dict[str, Array]]:
        """The photo (H, W, 3) and what lies on it -> the same of the size that ``resize`` gives, aligned as before.

        Args:
            photo: its colours may change, those of a condition image do not.
            maps: "labels" and "instances" (H, W), "condition" (H, W, C), those that there are.
            seed: of all that is random.
        """
        # one seed per step: with the composition's own seeding all steps would draw the same numbers, and the
        # brightness would follow the place of the crop
        for step, own in zip(self.steps, np.random.SeedSequence(seed).generate_state(len(self.steps)), strict=True):
            step.set_random_seed(int(own))
        done = self.compose(image=photo, **maps)
        return done["image"], {name: done[name] for name in maps}


class _Stretch(A.DualTransform):  # type: ignore[misc]
    """Stretch each target to the size that a ``Resize`` asks of a sample in training."""

    def __init__(self, resize: Resize) -> None:
        super().__init__(p=1.0)
        self.resize = resize

    def apply(self, img: NDArray[np.uint8], **params: Any) -> NDArray[np.uint8]:
        """Photos: by averaging or cubic interpolation."""
        return stretch_photo(img, self.resize.stretched(img.shape[0], img.shape[1], training=True))

    def apply_to_mask(self, mask: Array, **params: Any) -> Array:
        """Labels and instances, (H, W): by the nearest pixel. Condition images, (H, W, C): as photos."""
        size = self.resize.stretched(mask.shape[0], mask.shape[1], training=True)
        return stretch_map(mask, size) if mask.ndim == 2 else stretch_photo(mask, size)
