"""The label maps that are measured on: real ones from files, painted scenes, and noise as the worst case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from i2i.classes import LabelEncoding
from i2i.data.ade20k import ADE20K
from i2i.data.camvid import CamVid
from i2i.data.cityscapes import Cityscapes
from i2i.data.coco_stuff import COCOStuff
from i2i.data.files import list_images, read_instances, read_labels
from i2i.data.preparation import map_tensor
from i2i.data.scenes import LIGHTINGS, Scenes, render
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.semantics import LabelSemantics, SemanticMap

KINDS = ("ade20k", "cityscapes", "coco_stuff", "camvid", "scenes")
"""The encodings of label files that maps can be read in."""

_LABEL_IDS, _INSTANCE_IDS = "_gtFine_labelIds", "_gtFine_instanceIds"
_FOLDERS_OF_LABELS = ("labels", "stuffthingmaps")  # data sets that keep instance maps in a folder `instances` beside


@dataclass(frozen=True)
class MapSet:
    """Batches of label maps of one size.

    Attributes:
        name: of the data set.
        semantics: how the networks see the maps.
        labels: (N, H, W) each.
        instances: the same; None for a set without.
        upsamplings: of the generator that is published for the data set.
    """

    name: str
    semantics: LabelSemantics
    labels: list[Tensor]
    instances: list[Tensor] | None = None
    upsamplings: Literal[5, 6] = 5

    def __len__(self) -> int:
        """The number of batches."""
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.labels[0].shape[1], self.labels[0].shape[2]

    @property
    def batch(self) -> int:
        """N, the maps of each batch."""
        return self.labels[0].shape[0]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The resolutions of the generator, the smallest first."""
        height, width = self.size
        return [(height >> i, width >> i) for i in reversed(range(self.upsamplings + 1))]

    def fresh(self, index: int) -> SemanticMap:
        """A batch as it comes from a loader: checked, and nothing computed in advance."""
        return self.semantics(self.labels[index], None if self.instances is None else self.instances[index])

    def to(self, device: torch.device) -> MapSet:
        """The same maps on another device."""
        instances = None if self.instances is None else [i.to(device) for i in self.instances]
        return replace(self, labels=[m.to(device) for m in self.labels], instances=instances)


def read_maps(
    folder: Path, kind: str, size: tuple[int, int], batch: int, count: int, instances: Path | None = None
) -> MapSet:
    """Read the first label maps of a folder, in sub-folders too, stretched to a size.

    Args:
        folder: where the label maps lie; of Cityscapes' files only the ``labelIds`` count.
        kind: one of :data:`KINDS`.
        size: (H, W) to stretch to, by nearest neighbours.
        batch: maps a batch; the first ones are repeated to fill the last batch.
        count: read at most so many maps.
        instances: the folder of the instance maps; None looks beside the label maps.

    Raises:
        InputError: no maps there, or files that cannot be read as this kind.
    """
    encoding, edges = _encoding(kind)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of label maps")
    found = list_images(folder, deep=True)
    found = [path for path in found if path.stem.endswith(_LABEL_IDS)] or found
    if not found:
        raise InputError(f"{folder}: no label maps (PNG, BMP, TIFF, …) in this folder")
    found = found[:count]
    resize = Fixed(size)
    labels = [map_tensor(resize.apply_labels(read_labels(path, encoding))) for path in found]
    partners = _instance_files(found, instances) if edges or instances is not None else None
    ids = None
    if partners is not None:
        ids = [map_tensor(resize.apply_labels(read_instances(path))) for path in partners]
    edges = edges or ids is not None
    return _in_batches(kind, LabelSemantics(encoding.num_classes, edges), labels, ids, batch)


def painted_maps(size: tuple[int, int], batch: int, count: int, seed: int) -> MapSet:
    """Maps of the embedded scenes, which need no files.

    Args:
        size: (H, W) in pixels.
        batch: maps a batch.
        count: how many maps.
        seed: of the landscapes.
    """
    samples = [render(seed + i, size, LIGHTINGS[0]) for i in range(count)]
    labels = [map_tensor(sample.labels) for sample in samples if sample.labels is not None]
    ids = [map_tensor(sample.instances) for sample in samples if sample.instances is not None]
    encoding, edges = _encoding("scenes")
    return _in_batches("scenes", LabelSemantics(encoding.num_classes, edges), labels, ids, batch)


def noise(like: MapSet, seed: int) -> MapSet:
    """One batch of labels drawn uniformly, with the classes, edges and size of another set: a pattern per pixel."""
    generator = torch.Generator().manual_seed(seed)
    shape, classes = (like.batch, *like.size), like.semantics.num_classes
    labels = torch.randint(classes, shape, generator=generator).to(torch.int16)
    return replace(like, name=f"random labels for {like.name}", labels=[labels], instances=None)


def _encoding(kind: str) -> tuple[LabelEncoding, bool]:
    """How a kind of label files is read, and whether its networks take instance edges."""
    match kind:
        case "ade20k":
            return ADE20K("").encoding, False
        case "camvid":
            return CamVid("").encoding, False
        case "cityscapes":
            return Cityscapes("").encoding, True
        case "coco_stuff":
            return COCOStuff("").encoding, True
        case "scenes":
            scenes = Scenes()
            return scenes.encoding, scenes.has_instances
    raise InputError(f"classes {kind!r} are not known; allowed are {', '.join(KINDS)}")


def _instance_files(maps: Sequence[Path], given: Path | None) -> list[Path] | None:
    """The instance map of each label map; None where none is given and none lies beside: class borders serve then."""
    if given is None:
        beside = [_beside(path) for path in maps]
        return beside if all(path != own and path.exists() for path, own in zip(beside, maps, strict=True)) else None
    if not given.is_dir():
        raise InputError(f"{given}: no such folder of instance maps")
    found = {_name(path): path for path in list_images(given, deep=True) if not path.stem.endswith(_LABEL_IDS)}
    missing = next((path for path in maps if _name(path) not in found), None)
    if missing is not None:
        raise InputError(f"{missing}: no instance map of this name in {given}")
    return [found[_name(path)] for path in maps]


def _beside(labels: Path) -> Path:
    parts = ["instances" if part in _FOLDERS_OF_LABELS else part for part in labels.parent.parts]
    return Path(*parts) / labels.name.replace(_LABEL_IDS, _INSTANCE_IDS)


def _name(path: Path) -> str:
    return path.stem.removesuffix(_LABEL_IDS).removesuffix(_INSTANCE_IDS)


def _in_batches(
    name: str, semantics: LabelSemantics, labels: Sequence[Tensor], ids: Sequence[Tensor] | None, batch: int
) -> MapSet:
    def stacked(maps: Sequence[Tensor]) -> list[Tensor]:
        batches = -(-len(maps) // batch)
        return [torch.stack([maps[(i * batch + j) % len(maps)] for j in range(batch)]) for i in range(batches)]

    made = MapSet(name, semantics, stacked(labels), stacked(ids) if ids else None, 6 if name == "cityscapes" else 5)
    multiple = 1 << made.upsamplings
    if any(side % multiple for side in made.size):
        height, width = made.size
        raise InputError(f"--size {height} {width}: the generator for {name} needs multiples of {multiple}")
    return made
