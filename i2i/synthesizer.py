"""Inference: a model file, label maps or images in, photographs out. Needs neither Lightning nor a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.canvas import Canvas
from i2i.classes import LabelEncoding
from i2i.condition import Condition, Semantics
from i2i.data.conditions import Images
from i2i.data.label_maps import LabelMaps, OneMap
from i2i.data.transforms import Resize
from i2i.device import check_dtype, choose_device, for_inference
from i2i.drawing import Drawing
from i2i.errors import InputError
from i2i.instance_features import Features, fitted_photo
from i2i.kept_maps import KeptMaps
from i2i.latents import Way, interpolated, moved
from i2i.model_folder import load_parts
from i2i.nn.generator import Generator
from i2i.nn.style import Encoder
from i2i.numbers import whole_number
from i2i.photos import Photo, photo_pixels
from i2i.pictures import Pixels, from_pixels, to_pixels
from i2i.reader import Reader
from i2i.semantics import LabelSemantics
from i2i.styles import OneStyle, Style, Styles, random_of, spread


class Synthesizer:
    """Turns label maps, or the images that a model translates, into photographs.

    Any number of threads may share one. What it made of the last label maps is kept, so that another picture of one of
    them, in another style, costs only the convolutions between.

    >>> synthesizer = Synthesizer.load("model.ckpt")
    >>> synthesizer("map.png", seed=1, count=4).shape  # four styles
    (4, 64, 64, 3)
    >>> photos = synthesizer(["map.png", "map2.png"], style="evening.jpg")  # both in the style of a photo
    >>> labels = np.zeros((96, 160), np.uint8)  # any size; 0 is sky
    >>> labels[50:] = 2
    >>> synthesizer(labels, seed=1).shape
    (1, 96, 160, 3)

    Args:
        generator: called as ``generator(semantics, style)``. It is copied, as the encoder is: a network that is being
            trained stays as it is, and what it learns later does not change the pictures.
        semantics: how labels or images become the generator's condition.
        encoder: photo -> (mean, log variance) of the style, for models that have one.
        encoding: how label files become labels.
        resize: how files come to the size the model was trained for.
        device: "cpu", "cuda", "cuda:1", "mps"; "auto" takes a GPU where there is one.
        dtype: of the generator's features and convolutions: float32, bfloat16, float16 or float64; None for that of
            its weights. The encoder keeps its own.
        memory: GiB that a picture's features and tables may take; a larger picture of SPADE, OASIS or SEAN is made in
            bands of rows, exactly as it would be made whole. None takes half of what is free, where bands can be made.
        keep: GiB that the patterns and tables of the last label maps may take; 0 keeps none.

    Raises:
        InputError: an absent device, a type it cannot compute in, a memory or keep that is no number of GiB, or a
            memory for a network whose pictures are made whole: instance norm takes the statistics of whole pictures.
    """

    def __init__(
        self,
        generator: Generator,
        semantics: Semantics,
        encoder: Encoder | None = None,
        encoding: LabelEncoding | None = None,
        resize: Resize | None = None,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        memory: float | None = None,
        keep: float = 1.0,
    ) -> None:
        self.device = choose_device(device)
        check_dtype(dtype, self.device)
        if not 0 <= keep < float("inf"):
            raise InputError(f"keep is {keep}; it is a number of GiB, 0 or more")
        self.generator = for_inference(generator, self.device).fold(dtype)
        self.encoder = None if encoder is None else for_inference(encoder, self.device)
        self.semantics = semantics
        self.encoding = encoding
        self.resize = resize
        self._reader = Reader(semantics, encoding, resize)
        self._styles = Styles(self.generator, self.encoder, resize, self.device, semantics)
        self._drawing = Drawing(self.generator, memory)
        self._kept = KeptMaps(int(keep * 2**30) if isinstance(semantics, LabelSemantics) else 0)

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "cpu",
        ema: bool = True,
        dtype: torch.dtype | None = None,
        memory: float | None = None,
        keep: float = 1.0,
    ) -> Synthesizer:
        """Load a checkpoint of a training run, a converted or an exported model.

        >>> half = Synthesizer.load("model.ckpt", device="auto", dtype=torch.bfloat16)

        Args:
            path: the file, or the folder of `i2i export`; nothing else is needed. Where there is no such path, a
                repository of the Hugging Face Hub: ``owner/name`` or ``owner/name@revision``.
            ema: the moving average of the generator's weights, where the file has one.
            device, dtype, memory, keep: see :class:`Synthesizer`.

        Raises:
            InputError: no such file, a damaged one, one of another kind, or as :class:`Synthesizer`.
        """
        return cls(**cls.parts(path, ema), device=device, dtype=dtype, memory=memory, keep=keep)

    @staticmethod
    def parts(path: str | Path, ema: bool = True) -> dict[str, Any]:
        """What a file holds, as the constructor takes it: the networks are not folded yet, and on the CPU."""
        return load_parts(path, ema)

    @property
    def style_dim(self) -> int | None:
        """Length of the style vector; None for a model without style."""
        return self.generator.style_dim

    @torch.inference_mode()
    def __call__(
        self,
        labels: LabelMaps | Images,
        instances: LabelMaps | None = None,
        style: Style | None = None,
        seed: int | None = None,
        count: int = 1,
        features: Features | None = None,
        resample: Sequence[int | str] = (),
    ) -> Pixels:
        """Photographs of label maps or images.

        >>> photos = synthesizer(labels, style="evening.jpg")
        >>> photos = synthesizer(labels, style=["noon.jpg", "evening.jpg"])  # one map, a picture in each style
        >>> photos = synthesizer(labels, style=synthesizer.latent("noon.jpg"))

        Args:
            labels: one map or several of one size: arrays or tensors of integers in [0, number of classes), (H, W) or
                (N, H, W); PIL images of ids or class colours; files of these, which are brought to the size the model
                was trained for, while all else keeps its own size; or a list of any of them. For a model that
                translates images, those: see :func:`i2i.data.conditions.image_batch`.
            instances: instance ids, given alike, for models with instance edges; class borders serve without.
            style: a latent vector (style_dim,), a photo whose style to take, or a :class:`i2i.styles.Mix` of two. Or a
                list of these (or latents (n, style_dim)): one for each map, or for each picture; for one map and a
                count of 1 there is a picture for each. For a model with instance features the photo of that very map,
                whose instances keep their looks; without it the features of each instance are drawn from the clusters
                of its class. For a model with a code for each region a photo of that very map, any photo with its label
                map (:class:`i2i.photos.LabelledPhoto`), or codes of the classes.
            seed: of the styles that are drawn; None draws others at every call.
            count: pictures a map, each in a style of its own unless ``style`` is a vector or a mix. Of a photo the
                first picture has the style, the others are drawn around it.
            features: for a model with instance features those of some instances, by instance id (by label where no
                instances are given); the others' are found as told above. See :meth:`instance_features`. For a model
                with a code for each class those of some, by label or name, or photos to take them from.
            resample: labels or names of classes. All pictures of a map then have the first one's noise, but in these
                classes each has its own; the pictures differ there, and around as far as the network's receptive field
                reaches. For models with noise by region, such as OASIS.

        Returns:
            (pictures, H, W, 3) uint8; the pictures of one map lie together.

        Raises:
            InputError: a label out of range, sizes that differ or do not fit, a style the model cannot take, an unknown
                class, or a memory that does not suffice.
        """
        count = whole_number(count, "count")
        if count < 1:
            raise InputError(f"count is {count}; it is a number of pictures a map, at least 1")
        classes = [self._reader.label_of(name) for name in resample]
        batch = self._reader.batch(labels, instances)
        number, size = len(batch[0][1]), (batch[0][1].shape[-2], batch[0][1].shape[-1])
        wanted = self._styles.vectors(features, batch[-1][1], self._reader)
        random = random_of(seed)
        pictures = []
        for i, styles in enumerate(spread(style, number, count, self.generator.region_channels)):
            maps = {name: self.generator.padded(m[i : i + 1]) for name, m in batch}
            with self._kept.lent(maps, self._condition) as condition:
                for one, times in styles:
                    given = self._styles.given(one, size, self._reader)
                    for z in self._styles.choose(condition, given, random, times, wanted, classes):
                        pictures.append(to_pixels(self._drawing(condition, z)[:, :, : size[0], : size[1]]))
        return np.concatenate(pictures)

    def canvas(self) -> Canvas:
        """A picture to paint: see :class:`i2i.canvas.Canvas`."""
        return Canvas(self)

    def condition(self, labels: LabelMaps | Images, instances: LabelMaps | None = None) -> Condition:
        """What the generator is conditioned on, on the device; labels and instances as at a call.

        The maps are padded to a size that the generator takes, by repeating their last row and column.
        """
        batch = self._reader.batch(labels, instances)
        return self._condition({name: self.generator.padded(maps) for name, maps in batch})

    @torch.inference_mode()
    def style(
        self, condition: Condition, size: tuple[int, int], style: OneStyle | None = None, seed: int | None = None
    ) -> Tensor | None:
        """The style of the first picture that a call would make of one map; None for a model without style.

        Args:
            condition: what :meth:`condition` made of a map.
            size: (H, W) of the map before it was padded.
            style, seed: as at a call.
        """
        given = self._styles.given(style, size, self._reader)
        return self._styles.choose(condition, given, random_of(seed), 1)[0]

    def read(
        self, labels: OneMap, instances: OneMap | None = None, own_size: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """A label map (and instances) as tensors, (1, H, W) each: files decoded and brought to the training size.

        For a model that translates images, an image: (1, C, H, W) float32 in [-1, 1]. ``own_size`` leaves the size of
        files as it is.

        >>> labels, _ = synthesizer.read("map.png", own_size=True)
        >>> synthesizer(labels).shape
        (1, 80, 112, 3)
        """
        batch = self._reader.batch(labels, instances, own_size)
        return batch[0][1], None if instances is None else batch[1][1]

    @torch.no_grad()
    def latent(self, photo: OneStyle) -> Tensor:
        """The style of a photo: the encoder's mean, (style_dim,). Of a mix, what it comes to."""
        return self._styles.latent(photo)

    def interpolate(self, a: OneStyle, b: OneStyle, n: int, way: Way = "spherical") -> Tensor:
        """(n, style_dim), from one style to another: see :func:`i2i.latents.interpolated`.

        >>> synthesizer(labels, style=synthesizer.interpolate("noon.jpg", "evening.jpg", n=5)).shape
        (5, 96, 160, 3)
        """
        return interpolated(self.latent(a), self.latent(b), n, way)

    def move(self, style: OneStyle, towards: Sequence[OneStyle], away: Sequence[OneStyle], by: float = 1.0) -> Tensor:
        """(style_dim,), ``style + by · (mean of towards - mean of away)``: see :func:`i2i.latents.moved`.

        >>> style = synthesizer.move("noon.jpg", towards=["evening.jpg", "dusk.jpg"], away=["noon.jpg"])
        """
        return moved(self.latent(style), [self.latent(s) for s in towards], [self.latent(s) for s in away], by)

    def from_rgb(self, picture: Photo, nearest: bool = False) -> NDArray[Any]:
        """(H, W) labels of a picture in the classes' colours; :meth:`to_rgb` is the way back.

        >>> synthesizer(synthesizer.from_rgb("colours.png")).shape
        (1, 80, 112, 3)

        Args:
            picture: (H, W, 3) uint8, a PIL image, or a file; of a palette image the colours count.
            nearest: take the nearest class for colours that are none's, such as those of an antialiased drawing.

        Raises:
            InputError: a colour that is no class's, unless ``nearest``.
        """
        return self._reader.from_rgb(picture, nearest)

    def to_rgb(self, labels: OneMap) -> Pixels:
        """(…, H, W) labels -> (…, H, W, 3) uint8 in the classes' colours; a label without class is black."""
        return self._reader.to_rgb(labels)

    @torch.inference_mode()
    def instance_features(
        self, photo: Photo, labels: LabelMaps, instances: LabelMaps | None = None
    ) -> dict[int, Tensor]:
        """The features of each instance of a photo, by instance id (of each class, by label), as a call takes them.

        Args:
            photo: of the size of its label map, or of one that becomes this as the model prepares its photos.
            labels: the photo's label map.
            instances: by default the regions of one label are one instance.

        Raises:
            InputError: the model has no instance features, or sizes that do not fit.
        """
        if self.encoder is None or not self.encoder.regional:
            raise InputError("this model has no features of instances or classes")
        condition = self._condition(dict(self._reader.batch(labels, instances)))
        pixels = fitted_photo(photo_pixels(photo), condition.size, self.resize)
        return self.encoder.by_region(from_pixels(pixels[None]).to(self.device), condition)

    def _condition(self, batch: Mapping[str, Tensor]) -> Condition:
        with torch.inference_mode(mode=False):  # it may be kept, and asked for where a gradient is wanted next
            return self.semantics.read({name: maps.to(self.device) for name, maps in batch.items()})
