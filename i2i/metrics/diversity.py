"""LPIPS (Zhang et al. 2018): the perceptual distance to the real photo, and between pictures of one map."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from i2i.checkpoint import load_tensors
from i2i.errors import InputError
from i2i.metrics.collected import Collected, check_photos, key, mean_of
from i2i.metrics.hashes import file_hash
from i2i.metrics.result import Result

Backbone = Literal["alex", "vgg", "squeeze"]

_FILES: dict[Backbone, str] = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
_SMALLEST = 32  # pixels a side: what AlexNet needs


class LPIPS(nn.Module):
    """The distance, version 0.1. Its own small weights come with the package lpips, the backbone's from torchvision.

    Args:
        net: the backbone; AlexNet is what papers report.
        weights: torchvision's file of the backbone; by default the one in torch's cache. Nothing is downloaded.

    Raises:
        InputError: the file is absent, truncated, or holds something else.
    """

    def __init__(self, net: Backbone = "alex", weights: str | None = None) -> None:
        super().__init__()
        if net not in _FILES:
            raise InputError(f"LPIPS has no backbone {net!r}; allowed are {', '.join(_FILES)}")
        cached = Path(torch.hub.get_dir()) / "checkpoints" / _FILES[net]
        path = cached if weights is None else Path(weights)
        if not path.is_file():
            raise InputError(
                f"{path}: the {net} weights of LPIPS are not there; put torchvision's {_FILES[net]} at {cached}, name "
                "another place for it, or leave LPIPS out"
            )
        self.net = net
        self.sha256 = file_hash(path)
        self.distance = _build(net, path)
        self.requires_grad_(False)
        self.eval()

    def describe(self) -> dict[str, Any]:
        """What a figure made with this network has to name."""
        return {"LPIPS": f"{self.net}, version 0.1", "backbone sha256": self.sha256}

    def train(self, mode: bool = True) -> LPIPS:
        """Stay in evaluation mode: the network is frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two batches of photos (N, 3, H, W) in [-1, 1] -> (N,) distances, at least 0.

        Raises:
            InputError: photos too small for the backbone.
        """
        if min(a.shape[-2:]) < _SMALLEST:
            raise InputError(f"LPIPS needs photos of at least {_SMALLEST} pixels a side, not {min(a.shape[-2:])}")
        if next(self.buffers()).device != a.device:
            self.to(a.device)
        return cast(Tensor, self.distance(a.float(), b.float())).reshape(len(a))


def pairwise_diversity(distance: LPIPS, photos: Tensor) -> float:
    """The mean distance over all pairs of pictures of one map.

    Args:
        distance: LPIPS.
        photos: (M, 3, H, W) in [-1, 1], M at least 2.

    Raises:
        InputError: a single picture.
    """
    if len(photos) < 2:
        raise InputError("diversity is a distance between pictures of one map and needs at least 2 of each")
    # One pair at a time: the memory does not grow with the number of pictures.
    pairs = list(itertools.combinations(range(len(photos)), 2))
    return sum(float(distance(photos[i : i + 1], photos[j : j + 1])) for i, j in pairs) / len(pairs)


class PerceptualDistance(Collected):
    """LPIPS of synthesised photos to the real ones, mean over photos.

    Args:
        distance: the network; it is no part of the metric's state.
    """

    def __init__(self, distance: LPIPS) -> None:
        super().__init__(width=1)
        self._distance = (distance,)  # a tuple: a submodule would enter checkpoints

    def update(self, photo: Tensor, real: Tensor, names: Sequence[str]) -> None:
        """Add pairs of photos (N, 3, H, W) in [-1, 1]."""
        check_photos(photo, names)
        check_photos(real, names)
        self.collect(names, self._distance[0](photo, real)[:, None])

    def compute(self) -> dict[str, Tensor]:
        """The scalar ``lpips``, and ``keys`` (n,) and ``values`` (n,) of the photos."""
        keys, rows = self.collected()
        return {"lpips": mean_of(rows, "LPIPS")[0], "keys": keys, "values": rows[:, 0]}

    def each(self, names: Sequence[str]) -> dict[str, float]:
        """The distance of each of the named photos that were measured."""
        values = self.compute()
        by_key = dict(zip(values["keys"].reshape(-1).tolist(), values["values"].reshape(-1).tolist(), strict=True))
        return {name: by_key[key(name)] for name in names if key(name) in by_key}

    def results(self) -> list[Result]:
        """LPIPS."""
        values = self.compute()
        count = values["keys"].numel()
        protocol = {**self._distance[0].describe(), "against": "the real photo", "photos": count}
        return [Result("LPIPS", float(values["lpips"]), protocol, "lower")]


class Diversity(Collected):
    """LPIPS between pictures of the same map: the mean over pairs, then over maps.

    Args:
        distance: the network; it is no part of the metric's state.
    """

    def __init__(self, distance: LPIPS) -> None:
        super().__init__(width=2)
        self._distance = (distance,)

    def update(self, photos: Tensor, name: str) -> None:
        """Add all pictures (M, 3, H, W) in [-1, 1] of one map."""
        check_photos(photos, [name] * len(photos))
        value = pairwise_diversity(self._distance[0], photos)
        self.collect([name], torch.tensor([[value, len(photos)]], device=photos.device))

    def compute(self) -> dict[str, Tensor]:
        """Scalars ``diversity``, ``pictures`` (a map) and ``count`` (of maps)."""
        _, rows = self.collected()
        diversity, pictures = mean_of(rows, "LPIPS diversity")
        return {"diversity": diversity, "pictures": pictures, "count": torch.tensor(len(rows))}

    def results(self) -> list[Result]:
        """LPIPS diversity."""
        values = self.compute()
        protocol = {
            **self._distance[0].describe(),
            "between": "all pairs of pictures of a map",
            "pictures a map": float(values["pictures"]),
            "maps": int(values["count"]),
        }
        return [Result("LPIPS diversity", float(values["diversity"]), protocol, "higher")]


def _build(net: Backbone, path: Path) -> nn.Module:
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package names torchvision's arguments as they were once
        network = cast(nn.Module, lpips.LPIPS(net=net, pnet_rand=True, verbose=False))
    # The package cuts torchvision's ``features`` into slices but keeps their numbers.
    tensors = load_tensors(path)
    try:
        backbone = {
            name: tensors["features." + name.split(".", 1)[1]] for name in network.get_submodule("net").state_dict()
        }
        network.get_submodule("net").load_state_dict(backbone)
    except (KeyError, RuntimeError, TypeError) as error:
        raise InputError(f"{path}: these are not torchvision's {net} weights ({_FILES[net]})") from error
    return network
