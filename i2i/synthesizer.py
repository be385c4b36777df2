"""Inference: a model file, label maps or images in, photographs out. Needs neither Lightning nor a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from i2i.checkpoint import load_file, restore
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.conditions import Images, image_batch
from i2i.data.files import read_instances, read_labels, read_photo
from i2i.data.preparation import map_tensor
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.instance_features import Features, checked_features, feature_maps, fitted_photo
from i2i.nn.generator import Generator
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.pictures import Pixels, from_pixels, to_pixels
from i2i.semantics import Condition, LabelSemantics, Semantics

Photo = Pixels | Image.Image | str | Path
"""(H, W, 3) uint8, a PIL image, or a file."""


class Synthesizer:
    """Turns label maps, or the images that a model translates, into photographs.

    >>> synthesizer = Synthesizer.load("runs/scenes/checkpoints/last.ckpt")  # doctest: +SKIP
    >>> photos = synthesizer(labels, seed=1, count=4)  # doctest: +SKIP

    Args:
        generator: called as ``generator(semantics, style)``.
        semantics: how labels or images become the generator's condition.
        encoder: photo -> (mean, log variance) of the style, for models that have one.
        encoding: how label files become labels.
        resize: how files come to the size the model was trained for.
        device: where to compute; "auto" takes a GPU where there is one.
    """

    def __init__(
        self,
        generator: Generator,
        semantics: Semantics,
        encoder: nn.Module | None = None,
        encoding: LabelEncoding | None = None,
        resize: Resize | None = None,
        device: str = "cpu",
    ) -> None:
        self.device = choose_device(device)
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
        return cls(**parts, device=device)

    @property
    def style_dim(self) -> int | None:
        """Length of the style vector; None for a model without style."""
        return self.generator.style_dim

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor | NDArray[Any] | Images,
        instances: Tensor | NDArray[Any] | None = None,
        style: Tensor | Photo | None = None,
        seed: int | None = None,
        count: int = 1,
        features: Features | None = None,
    ) -> Pixels:
        """Photographs of label maps or images, at their own size.

        Args:
            labels: (N, H, W) or (H, W) integers in [0, number of classes). For a model that translates images, those:
                (N, H, W, C) or (H, W, C) uint8, PIL images, files, or what :meth:`read` gives; see
                :func:`i2i.data.conditions.image_batch`.
            instances: instance ids of the same shape, for models with instance edges; class borders serve without.
            style: a latent vector (style_dim,), one for each map (N, style_dim), or a photo whose style to take. For a
                model with instance features the photo of that very map, whose instances keep their looks; without it
                the features of each instance are drawn from the clusters of its class.
            seed: of the styles that are drawn; None draws others at every call.
            count: pictures a map, each in a style of its own unless ``style`` is a vector.
            features: for a model with instance features those of some instances, by instance id (by label where no
                instances are given); the others' are found as told above. See :meth:`instance_features`.

        Returns:
            (N * count, H, W, 3) uint8; the pictures of one map lie together.

        Raises:
            InputError: a label out of range, shapes that do not fit, a style the model cannot take.
        """
        if count < 1:
            raise InputError(f"count is {count}; it is a number of pictures a map, at least 1")
        given = self._batch(labels, instances)
        maps, (height, width) = len(given[0][1]), given[0][1].shape[-2:]
        padded = [(name, _padded(m, self.generator.multiple).to(self.device)) for name, m in given]
        wanted = {} if features is None else checked_features(features, self.generator, given[-1][1])
        if isinstance(self.encoder, InstanceEncoder) and style is not None and not isinstance(style, Tensor):
            size = padded[0][1].shape[-2], padded[0][1].shape[-1]
            style = fitted_photo(self._pixels(style), (height, width), size, self.resize)
        random = torch.Generator()
        if seed is None:
            random.seed()
        else:
            random.manual_seed(seed)
        pictures = []
        for i in range(maps):
            semantics = self.semantics.read({name: m[i : i + 1] for name, m in padded})
            for z in self._styles(semantics, self._of_map(style, i, maps), random, count, wanted):
                pictures.append(to_pixels(self.generator(semantics, z)[:, :, :height, :width]))
        return np.concatenate(pictures)

    def read(self, labels: str | Path, instances: str | Path | None = None) -> tuple[Tensor, Tensor | None]:
        """Label (and instance) files, decoded and brought to the training size: (1, H, W) each.

        For a model that translates images, an image file: (1, C, H, W) float32 in [-1, 1].
        """
        if not isinstance(self.semantics, LabelSemantics):
            return self._batch(Path(labels), instances)[0][1], None
        encoding = self.encoding or LabelEncoding(ClassTable.numbered(self.semantics.num_classes))
        maps = read_labels(Path(labels), encoding)
        ids = None if instances is None else read_instances(Path(instances))
        if ids is not None and ids.shape != maps.shape:
            raise InputError(f"{instances} is {ids.shape[::-1]} pixels, {labels} is {maps.shape[::-1]}")
        if self.resize is not None:
            maps = self.resize.apply_labels(maps)
            ids = None if ids is None else self.resize.apply_labels(ids)
        return map_tensor(maps)[None], None if ids is None else map_tensor(ids)[None]

    def _batch(
        self, labels: Tensor | NDArray[Any] | Images, instances: Tensor | NDArray[Any] | str | Path | None
    ) -> list[tuple[str, Tensor]]:
        """What is given as the loader would name it, the condition first."""
        if isinstance(self.semantics, ImageSemantics):
            if instances is not None:
                raise InputError("this model translates images; it takes no instances")
            return [("condition", image_batch(labels, self.semantics.channels, self.resize))]
        return [(n, _maps(m)) for n, m in (("labels", labels), ("instances", instances)) if m is not None]

    @torch.inference_mode()
    def latent(self, photo: Photo) -> Tensor:
        """The style of a photo: the encoder's mean, (style_dim,)."""
        if isinstance(self.encoder, InstanceEncoder):
            raise InputError("this model's style is a vector for each instance; ask for its instance_features")
        return self._posterior(photo, None)[0][0]

    @torch.inference_mode()
    def instance_features(
        self, photo: Photo, labels: Tensor | NDArray[Any], instances: Tensor | NDArray[Any] | None = None
    ) -> dict[int, Tensor]:
        """The features of each instance of a photo, by instance id, as a call takes them.

        Args:
            photo: of the size of its label map, or of one that becomes this as the model prepares its photos.
            labels: (H, W) integers, the photo's label map.
            instances: (H, W) ids; by default the regions of one label are one instance.

        Raises:
            InputError: the model has no instance features, or sizes that do not fit.
        """
        if not isinstance(self.encoder, InstanceEncoder):
            raise InputError("this model has no instance features")
        given = {name: m.to(self.device) for name, m in self._batch(labels, instances)}
        semantics = self.semantics.read(given)
        pixels = fitted_photo(self._pixels(photo), semantics.size, semantics.size, self.resize)
        index, values = self.encoder.encode(from_pixels(pixels[None]).to(self.device), semantics)
        return dict(zip(index.ids.tolist(), values.cpu(), strict=True))

    def _pixels(self, photo: Photo) -> Pixels:
        if isinstance(photo, str | Path):
            pixels = read_photo(Path(photo))
        else:
            pixels = np.asarray(photo.convert("RGB") if isinstance(photo, Image.Image) else photo)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise InputError(f"a style photo is (H, W, 3) uint8; got {pixels.dtype} of shape {pixels.shape}")
        return pixels

    def _posterior(self, photo: Photo, semantics: Condition | None) -> tuple[Tensor, Tensor | None]:
        if self.encoder is None:
            raise InputError("this model has no style encoder; a style photo cannot be used with it")
        pixels = self._pixels(photo)
        if self.resize is not None:
            pixels = self.resize.apply_photo(pixels)
        mean, logvar = self.encoder(from_pixels(pixels[None]).to(self.device), semantics)
        return mean, logvar

    def _of_map(self, style: Tensor | Photo | None, index: int, maps: int) -> Tensor | Photo | None:
        """The style of one of several maps; a latent vector as (1, style_dim)."""
        if style is None or not isinstance(style, Tensor):
            return style
        if self.generator.feature_channels:
            raise InputError("this model's style is no vector: give a photo of the map, or features by instance id")
        if self.style_dim is None:
            raise InputError("this model has no style; train one with an encoder, or leave the style out")
        if style.shape not in [(self.style_dim,), (maps, self.style_dim)]:
            raise InputError(
                f"the style has shape {tuple(style.shape)}; allowed are ({self.style_dim},), ({maps}, {self.style_dim})"
            )
        return style.to(self.device, torch.float32).expand(maps, -1)[index : index + 1]

    def _styles(
        self,
        semantics: Condition,
        style: Tensor | Photo | None,
        random: torch.Generator,
        count: int,
        features: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor | None]:
        """``count`` styles for one map, drawn where they are not given; None for a model without style."""
        if isinstance(style, Tensor):
            return [style] * count
        if self.generator.feature_channels:
            photo = None if style is None else from_pixels(self._pixels(style)[None]).to(self.device)
            maps = feature_maps(self.generator, self.encoder, semantics, photo, features or {}, random, count)
            return list(maps)
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


def _maps(labels: Any) -> Tensor:
    if not isinstance(labels, Tensor | np.ndarray):
        raise InputError(f"labels are a {type(labels).__name__}; arrays or tensors of ids are taken, files by read()")
    maps = torch.as_tensor(np.ascontiguousarray(labels) if isinstance(labels, np.ndarray) else labels)
    return maps[None] if maps.dim() == 2 else maps


def _padded(maps: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples, as the networks halve the size several times."""
    rows = torch.arange(-(-maps.shape[-2] // multiple) * multiple).clamp(max=maps.shape[-2] - 1)
    columns = torch.arange(-(-maps.shape[-1] // multiple) * multiple).clamp(max=maps.shape[-1] - 1)
    return maps[..., rows[:, None], columns]


def choose_device(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU where there is one. Raises :class:`InputError` where there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"device {name!r} cannot be used here; try cpu or auto") from error
    return device
