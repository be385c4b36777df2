"""Inference: a model file, label maps or images in, photographs out. Needs neither Lightning nor a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.canvas import Canvas
from i2i.checkpoint import restore
from i2i.classes import ClassTable, LabelEncoding
from i2i.condition import Condition, Semantics
from i2i.data.conditions import Images, image_batch
from i2i.data.files import read_instances, read_labels
from i2i.data.preparation import map_tensor
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.instance_features import Features, fitted_photo
from i2i.model_folder import load_model
from i2i.nn.generator import Generator
from i2i.nn.style import Encoder
from i2i.photos import LabelledPhoto, Photo, photo_pixels
from i2i.pictures import Pixels, from_pixels, to_pixels
from i2i.semantics import LabelSemantics
from i2i.styles import Styles


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
        encoder: Encoder | None = None,
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
        self._styles = Styles(self.generator, self.encoder, resize, self.device, semantics)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", ema: bool = True) -> Synthesizer:
        """Load a checkpoint of a training run, a converted or an exported model.

        Args:
            path: the file, or the folder of `i2i export`; nothing else is needed. Where there is no such path, a
                repository of the Hugging Face Hub: ``owner/name`` or ``owner/name@revision``.
            device: "cpu", "cuda", "cuda:1", "mps", or "auto".
            ema: the moving average of the generator's weights, where the file has one.

        Raises:
            InputError: no such file, a damaged one, one of another kind, or an absent device.
        """
        return cls(**cls.parts(path, ema), device=device)

    @staticmethod
    def parts(path: str | Path, ema: bool = True) -> dict[str, Any]:
        """What a file holds, as the constructor takes it: the networks are not folded yet, and on the CPU.

        Args and raises: see :meth:`load`.
        """
        contents = load_model(path)
        averaged = ema and any(name.startswith("average.") for name in contents["state_dict"])
        try:
            parts = {name: restore(contents, name) for name in ("semantics", "encoder", "encoding", "resize")}
            parts["generator"] = restore(contents, "generator", "average" if averaged else None)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if parts["generator"] is None:
            raise InputError(f"{path}: no generator in this file; it is of something else than a model")
        return parts

    @property
    def style_dim(self) -> int | None:
        """Length of the style vector; None for a model without style."""
        return self.generator.style_dim

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor | NDArray[Any] | Images,
        instances: Tensor | NDArray[Any] | None = None,
        style: Tensor | Photo | LabelledPhoto | None = None,
        seed: int | None = None,
        count: int = 1,
        features: Features | None = None,
        resample: Sequence[int | str] = (),
    ) -> Pixels:
        """Photographs of label maps or images, at their own size.

        Args:
            labels: (N, H, W) or (H, W) integers in [0, number of classes). For a model that translates images, those:
                (N, H, W, C) or (H, W, C) uint8, PIL images, files, or what :meth:`read` gives; see
                :func:`i2i.data.conditions.image_batch`.
            instances: instance ids of the same shape, for models with instance edges; class borders serve without.
            style: a latent vector (style_dim,), one for each map (N, style_dim), or a photo whose style to take. For a
                model with instance features the photo of that very map, whose instances keep their looks; without it
                the features of each instance are drawn from the clusters of its class. For a model with a code for
                each region a photo of that very map, any photo with its label map, or codes of the classes.
            seed: of the styles that are drawn; None draws others at every call.
            count: pictures a map, each in a style of its own unless ``style`` is a vector.
            features: for a model with instance features those of some instances, by instance id (by label where no
                instances are given); the others' are found as told above. See :meth:`instance_features`. For a model
                with a code for each class those of some, by label or name, or photos to take them from.
            resample: labels or names of classes. All pictures of a map then have the first one's noise, but in these
                classes each has its own; the pictures differ there, and around as far as the network's receptive field
                reaches. For models with noise by region, such as OASIS.

        Returns:
            (N * count, H, W, 3) uint8; the pictures of one map lie together.

        Raises:
            InputError: a label out of range, shapes that do not fit, a style the model cannot take, an unknown class.
        """
        if count < 1:
            raise InputError(f"count is {count}; it is a number of pictures a map, at least 1")
        if resample and count == 1:
            raise InputError("resample tells the pictures of a map apart; it needs a count of at least 2")
        classes = [self._label(name) for name in resample]
        batch = self._batch(labels, instances)
        maps, ids = batch[0][1], batch[-1][1]
        height, width = maps.shape[-2:]
        wanted = self._styles.vectors(features, ids, self._label)
        whole = padded(maps[:1], self.generator.multiple).shape[-2:]
        given = self._styles.given(style, len(maps), (height, width), (whole[0], whole[1]))
        random = _random(seed)
        pictures = []
        for i in range(len(maps)):
            condition = self._condition([(name, m[i : i + 1]) for name, m in batch])
            for z in self._styles.choose(condition, given[i], random, count, wanted, classes):
                pictures.append(to_pixels(self.generator(condition, z)[:, :, :height, :width]))
        return np.concatenate(pictures)

    def canvas(self) -> Canvas:
        """A picture to paint: see :class:`i2i.canvas.Canvas`."""
        return Canvas(self)

    def condition(
        self, labels: Tensor | NDArray[Any] | Images, instances: Tensor | NDArray[Any] | None = None
    ) -> Condition:
        """What the generator is conditioned on, on the device; labels and instances as at a call.

        The maps are padded to a size that the generator takes, by repeating their last row and column.
        """
        return self._condition(self._batch(labels, instances))

    @torch.inference_mode()
    def style(
        self,
        condition: Condition,
        size: tuple[int, int],
        style: Tensor | Photo | LabelledPhoto | None = None,
        seed: int | None = None,
    ) -> Tensor | None:
        """The style of the first picture that a call would make of one map; None for a model without style.

        Args:
            condition: what :meth:`condition` made of the map.
            size: (H, W) of the map before it was padded.
            style, seed: as at a call.
        """
        (given,) = self._styles.given(style, 1, size, condition.size)
        return self._styles.choose(condition, given, _random(seed), 1)[0]

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
        """What is given, by the loader's names: labels and, where there are any, instances last; or images."""
        if isinstance(self.semantics, ImageSemantics):
            if instances is not None:
                raise InputError("this model translates images; it takes no instances")
            return [("condition", image_batch(labels, self.semantics.channels, self.resize))]
        batch = [(n, _maps(m)) for n, m in (("labels", labels), ("instances", instances)) if m is not None]
        maps, ids = batch[0][1], batch[-1][1]
        if ids.shape != maps.shape:
            raise InputError(f"instances have shape {tuple(ids.shape)}, the labels {tuple(maps.shape)}")
        return batch

    def _condition(self, batch: list[tuple[str, Tensor]]) -> Condition:
        return self.semantics.read({n: padded(m, self.generator.multiple).to(self.device) for n, m in batch})

    @torch.inference_mode()
    def latent(self, photo: Photo) -> Tensor:
        """The style of a photo: the encoder's mean, (style_dim,)."""
        if self.encoder is not None and self.encoder.regional:
            raise InputError("this model's style is a vector for each region; ask for its instance_features")
        return self._styles.of_photo(photo)[0][0]

    @torch.inference_mode()
    def instance_features(
        self, photo: Photo, labels: Tensor | NDArray[Any], instances: Tensor | NDArray[Any] | None = None
    ) -> dict[int, Tensor]:
        """The features of each instance of a photo, by instance id (of each class, by label), as a call takes them.

        Args:
            photo: of the size of its label map, or of one that becomes this as the model prepares its photos.
            labels: (H, W) integers, the photo's label map.
            instances: (H, W) ids; by default the regions of one label are one instance.

        Raises:
            InputError: the model has no instance features, or sizes that do not fit.
        """
        if self.encoder is None or not self.encoder.regional:
            raise InputError("this model has no features of instances or classes")
        semantics = self.semantics.read({name: m.to(self.device) for name, m in self._batch(labels, instances)})
        pixels = fitted_photo(photo_pixels(photo), semantics.size, semantics.size, self.resize)
        return self.encoder.by_region(from_pixels(pixels[None]).to(self.device), semantics)

    def _label(self, name: int | str) -> int:
        """The label of a class."""
        if not isinstance(self.semantics, LabelSemantics):
            raise InputError("this model translates images; it has no classes")
        names = [] if self.encoding is None else self.encoding.classes.names
        if isinstance(name, str) and name in names:
            return names.index(name)
        if isinstance(name, str) or not 0 <= name < self.semantics.num_classes:
            few = f"{', '.join(names[:8])}{', …' if len(names) > 8 else ''}" if names else "no names, only numbers"
            last = self.semantics.num_classes - 1
            raise InputError(f"{name!r} is no class of this model; there are the labels 0 to {last} and {few}")
        return name


def _random(seed: int | None) -> torch.Generator:
    """Of the CPU, so that a seed gives the same on every device."""
    random = torch.Generator()
    if seed is None:
        random.seed()
    else:
        random.manual_seed(seed)
    return random


def _maps(labels: Any) -> Tensor:
    if not isinstance(labels, Tensor | np.ndarray):
        raise InputError(f"labels are a {type(labels).__name__}; arrays or tensors of ids are taken, files by read()")
    maps = torch.as_tensor(np.ascontiguousarray(labels) if isinstance(labels, np.ndarray) else labels)
    if maps.dim() < 2:
        raise InputError(f"labels have shape {tuple(maps.shape)}; expected (H, W) or (N, H, W)")
    return maps[None] if maps.dim() == 2 else maps


def padded(maps: Tensor, multiple: int) -> Tensor:
    """(…, H, W) with the last row and column repeated until both sides are multiples, as networks halve sizes often."""
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
