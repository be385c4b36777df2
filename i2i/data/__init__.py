"""Data sets of (photo, labels, instances), their preparation and their check.

Names are imported when they are first used: inference reads files with ``i2i.data.files`` and needs neither
pytorch-lightning nor albumentations.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2i.data.ade20k import ADE20K
    from i2i.data.camvid import CamVid
    from i2i.data.cityscapes import Cityscapes
    from i2i.data.coco_stuff import COCOStuff
    from i2i.data.datamodule import DataModule
    from i2i.data.derive import CannyEdges, Derivation, Greyscale
    from i2i.data.facades import Facades
    from i2i.data.folder import Folder
    from i2i.data.images import DerivedImages, PairedImages, SideBySide
    from i2i.data.paired import FileSplit, Pair, Sample, Source, Split
    from i2i.data.preparation import Preparation
    from i2i.data.scenes import Scenes
    from i2i.data.transforms import (
        Fixed,
        NoResize,
        Resize,
        ResizeAndCrop,
        ScaleShortSideAndCrop,
        ScaleWidth,
        ScaleWidthAndCrop,
    )

_MODULES = {
    "ade20k": ("ADE20K",),
    "camvid": ("CamVid",),
    "cityscapes": ("Cityscapes",),
    "coco_stuff": ("COCOStuff",),
    "datamodule": ("DataModule",),
    "derive": ("CannyEdges", "Derivation", "Greyscale"),
    "facades": ("Facades",),
    "folder": ("Folder",),
    "images": ("DerivedImages", "PairedImages", "SideBySide"),
    "paired": ("FileSplit", "Pair", "Sample", "Source", "Split"),
    "preparation": ("Preparation",),
    "scenes": ("Scenes",),
    "transforms": (
        "Fixed",
        "NoResize",
        "Resize",
        "ResizeAndCrop",
        "ScaleShortSideAndCrop",
        "ScaleWidth",
        "ScaleWidthAndCrop",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ADE20K",
    "COCOStuff",
    "CamVid",
    "CannyEdges",
    "Cityscapes",
    "DataModule",
    "Derivation",
    "DerivedImages",
    "Facades",
    "FileSplit",
    "Fixed",
    "Folder",
    "Greyscale",
    "NoResize",
    "Pair",
    "PairedImages",
    "Preparation",
    "Resize",
    "ResizeAndCrop",
    "Sample",
    "ScaleShortSideAndCrop",
    "ScaleWidth",
    "ScaleWidthAndCrop",
    "Scenes",
    "SideBySide",
    "Source",
    "Split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
