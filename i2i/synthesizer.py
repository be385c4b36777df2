"""Inference: a model file, label maps in, photographs out. Needs neither Lightning nor a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from i2i.checkpoint import load_file, restore
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.files import read_instances, read_labels, read_photo
from i2i.data.preparation import map_tensor
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.pictures import Pixels, from_pixels, to_pixels
from i2i.semantics import LabelSemantics, SemanticMap

Photo = Pixels | Image.Image | str | Path
"""(H, W, 3) uint8, a PIL image, or a file."""


class Synthesizer:
    """Turns label maps into photographs.

    >>> synthesizer = Synthesizer.load("runs/scenes/checkpoints/last.ckpt")  # doctest: +SKIP
    >>> photos = synthesizer(labels, seed=1, count=4)  # doctest: +SKIP

    Args:
        generator: called as ``generator(semantics, style)``.
        semantics: how labels become the generator's condition.
        encoder: photo -> (mean, log variance) of the style, for models that have one.
        encoding: how label files become labels.
        resize: how files come to the size the model was trained for.
        device: where to compute; "auto" takes a GPU where there is one.
    """

    def __init__(
        self,
        generator: Generator,
        semantics: LabelSemantics,
        encoder: nn.Module | None = None,
        encoding: LabelEncoding | None = None,
        resize: Resize | None = None,
        device: str = "cpu",
    ) -> None:
        self.device = _device(device)
        generator = generator.to(self.device).eval().requires_grad_(False)
        self.generator = generator.fold()
        self.encoder = None if encoder is None else encoder.to(self.device).eval().requires_grad_(False)
        self.semantics = semantics
        self.encoding = encoding
        self.resize = resize

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", ema: bool = True) -> Synthesizer:
        """Load a checkpoint of a training run, or a converted model.

        Args:
            path: the file; nothing else is needed.
            device: "cpu", "cuda", "cuda:1", "mps", or "auto".
            ema: the moving average of the generator's weights, where the file has one.

        Raises:
            InputError: no such file, a damaged one, one of another kind, or an absent device.
        """
        contents = load_file(path)
        averaged = ema and any(name.startswith("average.") for name in contents["state_dict"])
        try:
            parts = {name: restore(contents, name) for name in ("semantics", "encoder", "encoding", "resize")}
            parts["generator"] = restore(contents, "generator", "average" if averaged else None)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if parts["generator"] is None:
            raise InputError(f"{path}: no generator in this file; it is of something else than a model")
        return cls(**parts, device=device)

    @property
    def style_dim(self) -> int | None:
        """Length of the style vector; None for a model without style."""
        return self.generator.style_dim

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor | NDArray[Any],
        instances: Tensor | NDArray[Any] | None = None,
        style: Tensor | Photo | None = None,
        seed: int | None = None,
        count: int = 1,
    ) -> Pixels:
        """Photographs of label maps, at the maps' own size.

        Args:
            labels: (N, H, W) or (H, W) integers in [0, number of classes).
            instances: instance ids of the same shape, for models with instance edges; class borders serve without.
            style: a latent vector (style_dim,), one for each map (N, style_dim), or a photo whose style to take.
            seed: of the styles that are drawn; None draws others at every call.
            count: pictures a map, each in a style of its own unless ``style`` is a vector.

        Returns:
            (N * count, H, W, 3) uint8; the pictures of one map lie together.

        Raises:
            InputError: a label out of range, shapes that do not fit, a style the model cannot take.
        """
        if count < 1:
            raise InputError(f"count is {count}; it is a number of pictures a map, at least 1")
        maps = _maps(labels)
        ids = None if instances is None else _maps(instances)
        height, width = maps.shape[-2:]
        padded = [None if m is None else _padded(m, self.generator.multiple).to(self.device) for m in (maps, ids)]
        assert padded[0] is not None
        random = torch.Generator()
        if seed is None:
            random.seed()
        else:
            random.manual_seed(seed)
        pictures = []
        for i in range(len(maps)):
            of_map = None if padded[1] is None else padded[1][i : i + 1]
            semantics = self.semantics(padded[0][i : i + 1], of_map)
            for z in self._styles(semantics, self._of_map(style, i, len(maps)), random, count):
                pictures.append(to_pixels(self.generator(semantics, z)[:, :, :height, :width]))
        return np.concatenate(pictures)

    def read(self, labels: str | Path, instances: str | Path | None = None) -> tuple[Tensor, Tensor | None]:
        """Label (and instance) files, decoded and brought to the training size: (1, H, W) each."""
        encoding = self.encoding or LabelEncoding(ClassTable.numbered(self.semantics.num_classes))
        maps = read_labels(Path(labels), encoding)
        ids = None if instances is None else read_instances(Path(instances))
        if ids is not None and ids.shape != maps.shape:
            raise InputError(f"{instances} is {ids.shape[::-1]} pixels, {labels} is {maps.shape[::-1]}")
        if self.resize is not None:
            maps = self.resize.apply_labels(maps)
            ids = None if ids is None else self.resize.apply_labels(ids)
        return map_tensor(maps)[None], None if ids is None else map_tensor(ids)[None]

    @torch.inference_mode()
    def latent(self, photo: Photo) -> Tensor:
        """The style of a photo: the encoder's mean, (style_dim,)."""
        return self._posterior(photo, None)[0][0]

    def _posterior(self, photo: Photo, semantics: SemanticMap | None) -> tuple[Tensor, Tensor | None]:
        if self.encoder is None:
            raise InputError("this model has no style encoder; a style photo cannot be used with it")
        if isinstance(photo, str | Path):
            pixels = read_photo(Path(photo))
        else:
            pixels = np.asarray(photo.convert("RGB") if isinstance(photo, Image.Image) else photo)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise InputError(f"a style photo is (H, W, 3) uint8; got {pixels.dtype} of shape {pixels.shape}")
        if self.resize is not None:
            pixels = self.resize.apply_photo(pixels)
        mean, logvar = self.encoder(from_pixels(pixels[None]).to(self.device), semantics)
        return mean, logvar

    def _of_map(self, style: Tensor | Photo | None, index: int, maps: int) -> Tensor | Photo | None:
        """The style of one of several maps; a latent vector as (1, style_dim)."""
        if style is None or not isinstance(style, Tensor):
            return style
        if self.style_dim is None:
            raise InputError("this model has no style; train one with an encoder, or leave the style out")
        if style.shape not in [(self.style_dim,), (maps, self.style_dim)]:
            raise InputError(
                f"the style has shape {tuple(style.shape)}; allowed are ({self.style_dim},), ({maps}, {self.style_dim})"
            )
        return style.to(self.device, torch.float32).expand(maps, -1)[index : index + 1]

    def _styles(
        self, semantics: SemanticMap, style: Tensor | Photo | None, random: torch.Generator, count: int
    ) -> list[Tensor | None]:
        """``count`` styles for one map, drawn where they are not given; None for a model without style."""
        if isinstance(style, Tensor):
            return [style] * count
        drawn: list[Tensor | None] = [self.generator.draw(semantics, random) for _ in range(count)]
        if drawn[0] is None and style is not None:
            raise InputError("this model has no style; train one with an encoder, or leave the style out")
        if drawn[0] is None and count > 1:
            raise InputError(f"count is {count}, but this model has no style: all pictures of a map would be the same")
        if style is None:
            return drawn
        mean, logvar = self._posterior(style, semantics)
        if logvar is None:
            return [mean] * count
        # The first picture is the photo's style itself, the others are drawn around it.
        return [mean, *(mean + z * torch.exp(0.5 * logvar) for z in drawn[1:] if z is not None)]


def _maps(labels: Tensor | NDArray[Any]) -> Tensor:
    maps = torch.as_tensor(np.ascontiguousarray(labels) if isinstance(labels, np.ndarray) else labels)
    return maps[None] if maps.dim() == 2 else maps


def _padded(maps: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples, as the networks halve the size several times."""
    rows = torch.arange(-(-maps.shape[-2] // multiple) * multiple).clamp(max=maps.shape[-2] - 1)
    columns = torch.arange(-(-maps.shape[-1] // multiple) * multiple).clamp(max=maps.shape[-1] - 1)
    return maps[..., rows[:, None], columns]


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"device {name!r} cannot be used here; try cpu or auto") from error
    return device
