"""What a model with a latent vector offers, so that all such models can be explored alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.errors import InputError
from i2i.numbers import check_finite, seed_number
from i2i.photos import Photo
from i2i.pictures import Pixels

Place = int | np.integer[Any] | Tensor | NDArray[np.floating[Any]] | Photo
"""Where in a latent space: the seed that a latent is drawn by, the latent itself (style_dim,), or a photo whose latent
the model's encoder finds."""


class LatentSpace(Protocol):
    """A model whose pictures are functions of a latent vector, all else that it may ask for being given.

    Attributes:
        title: what else is given, such as the name of a label map; empty where the latent is all.
        given: the same as a picture, (H, W, 3); None where there is none.
    """

    title: str
    given: Pixels | None

    @property
    def style_dim(self) -> int:
        """Length of a latent."""
        ...

    def latents(self, count: int, seed: int) -> Tensor:
        """(count, style_dim), drawn as the model draws them."""
        ...

    def latent(self, photo: Photo) -> Tensor:
        """(style_dim,), where the encoder places a photo.

        Raises:
            InputError: the model has no encoder, or the photo cannot be read.
        """
        ...

    def decode(self, latents: Tensor) -> Pixels:
        """(n, style_dim) -> (n, H, W, 3) uint8."""
        ...


def latent_at(space: LatentSpace, place: Place) -> Tensor:
    """(style_dim,), the latent at a place, on the CPU.

    Raises:
        InputError: as :meth:`LatentSpace.latent`, a seed out of range, or a vector of another length or that is not
            finite.
    """
    if isinstance(place, int | np.integer):
        return space.latents(1, seed_number(place, "the seed of a latent"))[0].cpu()
    if is_photo(place):
        return space.latent(place).cpu()
    vector = torch.as_tensor(place)
    if vector.shape != (space.style_dim,):
        raise InputError(f"a latent has shape {tuple(vector.shape)}; this model's are ({space.style_dim},)")
    vector = vector.to("cpu", torch.float32)
    check_finite(vector, "a latent")
    return vector


def name_of(place: Place) -> str:
    """What a place is called on a sheet."""
    if isinstance(place, str | Path):
        return Path(place).name
    return f"seed {place}" if isinstance(place, int | np.integer) else "photo" if is_photo(place) else "latent"


def is_photo(place: Place) -> TypeGuard[Photo]:
    """Whether a place is given by a photo."""
    floating = isinstance(place, np.ndarray) and np.issubdtype(place.dtype, np.floating)
    return not isinstance(place, int | np.integer | Tensor) and not floating
