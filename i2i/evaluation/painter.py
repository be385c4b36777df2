"""Synthesises the maps of a split so that every picture depends on its map, its name and the seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from i2i.condition import Condition, Semantics
from i2i.errors import InputError
from i2i.metrics.collected import key
from i2i.nn.generator import Generator, drawer
from i2i.nn.style import Encoder
from i2i.pictures import Pixels, from_pixels, to_pixels
from i2i.styles import Styles
from i2i.synthesizer import Synthesizer

StyleChoice = Literal["drawn", "photo"]
"""Whose style a picture has: ``drawn`` at random, or that of its real ``photo``, which then is no secret any more."""

_DESCRIPTION: dict[StyleChoice, str] = {"drawn": "drawn, by name and seed", "photo": "of the real photo"}


@dataclass(frozen=True)
class Pictures:
    """What was made of a batch.

    Attributes:
        names: of the maps.
        photo: (N, 3, H, W) in [-1, 1], rounded to 8 bits: what is measured is what would be saved.
        real: the real photos, alike; None where there are none.
        labels: (N, H, W); None for a model that translates images.
        samples: for each map all of its pictures, (M, 3, H, W), of which the first is in ``photo``.
        given: (N, style_dim) the style of each picture; None where the style is no vector.
        found: (N, style_dim) the encoder's mean for each picture; None where it was not asked.
    """

    names: list[str]
    photo: Tensor
    real: Tensor | None
    labels: Tensor | None
    samples: list[Tensor]
    given: Tensor | None = None
    found: Tensor | None = None


class Painter:
    """Paints one map at a time, so that neither batches nor processes matter.

    Args:
        generator: in evaluation mode.
        semantics: how a batch becomes the generator's condition.
        encoder: of the styles, for models that have one.
        device: where both are.
        style: see :data:`StyleChoice`.
        seed: with a map's name the seed of its styles.

    Raises:
        InputError: the photos' styles are wanted, but there is no encoder.
    """

    def __init__(
        self,
        generator: Generator,
        semantics: Semantics,
        encoder: Encoder | None,
        device: torch.device,
        style: StyleChoice = "drawn",
        seed: int = 0,
    ) -> None:
        if style == "photo" and encoder is None:
            raise InputError("the model has no style encoder: its styles cannot be those of the photos, only drawn")
        self.generator = generator
        self.semantics = semantics
        self.encoder = encoder
        self.device = device
        self.style = style
        self.seed = seed
        self._styles = Styles(generator, encoder, None, device)

    @classmethod
    def of(cls, synthesizer: Synthesizer, style: StyleChoice = "drawn", seed: int = 0) -> Painter:
        """For a model from a file."""
        parts = (synthesizer.generator, synthesizer.semantics, synthesizer.encoder, synthesizer.device)
        return cls(*parts, style=style, seed=seed)

    def describe(self) -> dict[str, Any]:
        """What a figure of these pictures has to name."""
        return {"style": _DESCRIPTION[self.style], "seed": self.seed}

    @property
    def source(self) -> str | None:
        """What styles are drawn from, where that is one of two: the normal distribution, or those of the training.

        Asked anew each time: an encoder remembers styles only from its first photos on. It is no part of
        :meth:`describe`, since it is the model's own way, by which no figure but those of the styles has to be equal.
        """
        if self.style != "drawn":
            return None
        if drawer(self.generator, self.encoder) is not self.generator:
            return "the styles of training photos that the encoder remembers"
        return None if self.generator.style_dim is None else "the standard normal distribution"

    def varies(self, batch: Mapping[str, Any]) -> bool:
        """Whether the pictures of one map differ: whether there is a style that can be drawn."""
        condition = self.condition(batch, 0)
        return self.generator.regional or self.generator.draw(condition, torch.Generator()) is not None

    @torch.no_grad()
    def paint(self, batch: Mapping[str, Any], samples: int = 1, find_styles: bool = False) -> Pictures:
        """The pictures of a batch of the loader, on the device.

        Args:
            batch: as the loader yields it.
            samples: pictures of each map.
            find_styles: whether the encoder is asked for the style of each picture.

        Raises:
            InputError: a picture with pixels that are no numbers, or a style that the model cannot have.
        """
        names: Sequence[str] = batch["name"]
        maps = _maps(batch)
        height, width = maps.shape[-2:]
        made, given, found = [], [], []
        for index, name in enumerate(names):
            condition = self.condition(batch, index)
            styles = self._choose(condition, batch, index, samples)
            pictures = torch.cat([self.generator(condition, z)[:, :, :height, :width] for z in styles])
            if not torch.isfinite(pictures).all():
                raise InputError(f"{name}: the synthesised picture has pixels that are NaN or infinite")
            made.append(from_pixels(to_pixels(pictures)).to(self.device))
            if find_styles and self.encoder is not None and styles[0] is not None:
                given.append(styles[0].flatten(1))
                found.append(self.encoder(made[-1][:1].to(styles[0].dtype), condition)[0])
        return Pictures(
            names=list(names),
            photo=torch.cat([pictures[:1] for pictures in made]),
            real=batch["photo"].float().to(self.device) if "photo" in batch else None,
            labels=batch["labels"].to(self.device) if "labels" in batch else None,
            samples=made,
            given=torch.cat(given) if given else None,
            found=torch.cat(found) if found else None,
        )

    @torch.no_grad()
    def draw(self, batch: Mapping[str, Any], styles: Tensor) -> Tensor:
        """Pictures (n, 3, H, W) in [-1, 1] of the first map of a batch, one in each style.

        Args:
            batch: as the loader yields it.
            styles: (n, style_dim), for a model whose style is a vector.
        """
        height, width = _maps(batch).shape[-2:]
        condition = self.condition(batch, 0)
        pictures = [self.generator(condition, z[None])[:, :, :height, :width] for z in styles.to(self.device)]
        return torch.cat(pictures)

    @torch.no_grad()
    def style_of(self, photo: Pixels) -> Tensor:
        """(style_dim,), the encoder's mean.

        Raises:
            InputError: the model has no encoder of one vector.
        """
        return self._styles.latent(photo)

    def condition(self, batch: Mapping[str, Any], index: int) -> Condition:
        """What the generator is conditioned on for one map of a batch, padded to a size that it takes."""
        one = {name: batch[name][index : index + 1] for name in ("labels", "instances", "condition") if name in batch}
        return self.semantics.read({name: self.generator.padded(m).to(self.device) for name, m in one.items()})

    def _choose(self, condition: Condition, batch: Mapping[str, Any], index: int, samples: int) -> list[Tensor | None]:
        name = batch["name"][index]
        random = torch.Generator().manual_seed((key(name) + self.seed) % (1 << 63))
        photo: Pixels | None = None
        if self.style == "photo":
            if "photo" not in batch:
                raise InputError(f"{name}: no photo, whose style its picture could have")
            photo = to_pixels(batch["photo"][index : index + 1])[0]
        height, width = _maps(batch).shape[-2:]
        style = self._styles.given(photo, (height, width))
        return self._styles.choose(condition, style, random, samples)


def _maps(batch: Mapping[str, Any]) -> Tensor:
    maps: Tensor = batch["labels"] if "labels" in batch else batch["condition"]
    return maps
