"""Samples from Python: a trained model of points or images, without a trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from i2i.device import choose_device, for_inference
from i2i.errors import InputError
from i2i.foundations.condition import ClassCondition, ClassSemantics
from i2i.foundations.latent import LatentGenerator
from i2i.model_folder import load_parts
from i2i.nn.style import Encoder
from i2i.numbers import seed_number


class Sampler:
    """A generator of samples in evaluation mode, its encoder where it has one, and how its classes are read.

    >>> sampler = Sampler.load("digits.ckpt")
    >>> sampler.sample(10, seed=0, classes=range(10)).shape
    torch.Size([10, 1, 32, 32])

    Args:
        generator: of samples; it is copied, as the encoder is, so that networks in training stay as they are.
        semantics: whether classes condition it.
        encoder: from samples to latent vectors.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest there is.

    Raises:
        InputError: a device that is not there.
    """

    def __init__(
        self,
        generator: LatentGenerator,
        semantics: ClassSemantics,
        encoder: Encoder | None = None,
        device: str = "cpu",
    ) -> None:
        self.device = choose_device(device)
        self.generator = for_inference(generator, self.device)
        self.encoder = None if encoder is None else for_inference(encoder, self.device)
        self.semantics = semantics

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", ema: bool = True) -> Sampler:
        """Read a checkpoint.

        Args:
            path: the checkpoint.
            device: see :class:`Sampler`.
            ema: the averaged generator, where the file has one.

        Raises:
            InputError: a file that cannot be read, or of a model of another kind.
        """
        parts = load_parts(path, ema)
        if not isinstance(parts["generator"], LatentGenerator):
            raise InputError(f"{path}: a model that translates label maps or images, not one of samples")
        return cls(parts["generator"], parts["semantics"], parts["encoder"], device)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample: (2,) for points, (C, H, W) for images."""
        return self.generator.shape

    @property
    def style_dim(self) -> int:
        """Length of a latent vector."""
        return self.generator.style_dim

    @property
    def num_classes(self) -> int:
        """Classes that condition the model; 0 for none."""
        return self.semantics.num_classes

    def latents(self, count: int, seed: int = 0) -> Tensor:
        """(count, style_dim) of the standard normal distribution, on the CPU.

        Raises:
            InputError: a number out of range.
        """
        if count < 1:
            raise InputError(f"count is {count}; allowed are 1 and more")
        return torch.randn(count, self.style_dim, generator=torch.Generator().manual_seed(seed_number(seed)))

    @torch.inference_mode()
    def decode(self, latents: Tensor, classes: Sequence[int] | None = None) -> Tensor:
        """The samples of latent vectors.

        Args:
            latents: (N, style_dim).
            classes: N of them, for a model that classes condition.

        Returns:
            (N, *shape) on the CPU; images in [-1, 1].

        Raises:
            InputError: vectors of another length, or classes that the model does not have.
        """
        if latents.dim() != 2 or latents.shape[1] != self.style_dim:
            raise InputError(f"latent vectors of shape {tuple(latents.shape)}; the model takes (N, {self.style_dim})")
        made: Tensor = self.generator(self._condition(len(latents), classes), latents.to(self.device))
        return made.cpu()

    def sample(self, count: int, seed: int = 0, classes: Sequence[int] | None = None) -> Tensor:
        """Random samples, (count, *shape); see :meth:`decode`."""
        return self.decode(self.latents(count, seed), classes)

    @torch.inference_mode()
    def latent(self, samples: Tensor, classes: Sequence[int] | None = None) -> Tensor:
        """The mean latent vectors (N, style_dim) that an encoder finds for samples (N, *shape).

        Raises:
            InputError: the model has no encoder, or samples of another shape.
        """
        if self.encoder is None:
            raise InputError("the model has no encoder; only a variational autoencoder finds the latent of a sample")
        if tuple(samples.shape[1:]) != self.shape:
            raise InputError(f"samples of shape {tuple(samples.shape)}; the model takes {('N', *self.shape)}")
        mean: Tensor = self.encoder(samples.to(self.device), self._condition(len(samples), classes))[0]
        return mean.cpu()

    def _condition(self, count: int, classes: Sequence[int] | None) -> ClassCondition:
        if self.num_classes == 0 and classes is not None:
            raise InputError("the model has no classes; leave them out")
        if self.num_classes and (classes is None or len(classes) != count):
            given = "none" if classes is None else str(len(classes))
            raise InputError(f"{count} samples need as many classes, 0 to {self.num_classes - 1}; given are {given}")
        chosen = torch.zeros(count, dtype=torch.long) if classes is None else torch.tensor(list(classes))
        size = (self.shape[1], self.shape[2]) if len(self.shape) == 3 else (1, 1)
        return self.semantics(chosen, size).to(self.device)
