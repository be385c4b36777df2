"""How near each synthesised photo is to its real one: PSNR, SSIM and the mean absolute error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from i2i.errors import InputError
from i2i.metrics.collected import Collected, check_photos, mean_of
from i2i.metrics.result import Result

_RANGE = 2.0  # photos are in [-1, 1]
_WINDOW = 11  # of SSIM's Gaussian, σ 1.5


def peak_signal_to_noise(photo: Tensor, real: Tensor) -> Tensor:
    """10 · log₁₀(range² / mean squared error), in dB, of each pair of photos: (N,); infinite where they are equal."""
    error = (photo.double() - real.double()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(_RANGE**2 / error)


def structural_similarity(photo: Tensor, real: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004, equation 13) of each pair of photos (N, 3, H, W) in [-1, 1]: (N,), at most 1.

    The mean over the three channels and all windows that lie within the photo, as in the paper.

    Raises:
        InputError: photos smaller than its window of 11 pixels.
    """
    if min(photo.shape[-2:]) < _WINDOW:
        height, width = photo.shape[-2:]
        raise InputError(f"SSIM needs photos of at least {_WINDOW} pixels a side; these are {width}x{height}")
    # The formula knows black: in [-1, 1], where black is not 0, it gives another figure.
    x, y = ((z.float() + 1) / 2 for z in (photo, real))
    _, full = structural_similarity_index_measure(x, y, reduction="none", data_range=1.0, return_full_image=True)
    border = _WINDOW // 2  # the library mirrors photos there
    return full[..., border:-border, border:-border].mean(dim=(1, 2, 3))


class Similarity(Collected):
    """PSNR and SSIM of synthesised photos to the real ones, each a mean over photos."""

    def __init__(self) -> None:
        super().__init__(width=2)

    def update(self, photo: Tensor, real: Tensor, names: Sequence[str]) -> None:
        """Add pairs of photos (N, 3, H, W) in [-1, 1]."""
        check_photos(photo, names)
        check_photos(real, names)
        signal = peak_signal_to_noise(photo, real).clamp(max=_EQUAL)
        self.collect(names, torch.stack([signal.float(), structural_similarity(photo, real)], dim=1))

    def compute(self) -> dict[str, Tensor]:
        """Scalars ``psnr``, ``ssim``, ``count``."""
        _, rows = self.collected()
        signal, similarity = mean_of(rows, "PSNR and SSIM")
        return {"psnr": signal, "ssim": similarity, "count": torch.tensor(len(rows))}

    def results(self) -> list[Result]:
        """PSNR and SSIM."""
        values = self.compute()
        protocol = {"against": "the real photo", "average": "over photos", "photos": int(values["count"])}
        capped = {"equal photos": f"count as {_EQUAL:g} dB"}
        window = {"window": f"Gaussian, {_WINDOW} pixels, σ 1.5", "channels": "red, green, blue"}
        return [
            Result("PSNR", float(values["psnr"]), protocol | capped, "higher", "dB"),
            Result("SSIM", float(values["ssim"]), protocol | window, "higher"),
        ]


class AbsoluteError(Collected):
    """Mean absolute error of synthesised photos to the real ones, in the units of images in [0, 1]; a mean over photos.

    It is watched while a model trains, so photos that are no numbers make it none, and do not end the training.
    """

    def __init__(self) -> None:
        super().__init__(width=1)

    def update(self, photo: Tensor, real: Tensor, names: Sequence[str]) -> None:
        """Add pairs of photos (N, 3, H, W) in [-1, 1]."""
        error = (photo.float() - real.float()).abs().mean(dim=(1, 2, 3)) / _RANGE
        self.keep(names, error[:, None])

    def compute(self) -> Tensor:
        """A scalar."""
        return mean_of(self.collected()[1], "mean absolute error")[0].to(self.device, torch.float32)


_EQUAL = 100.0  # dB, above anything that 8 bits can differ by; one equal photo shall not make the mean infinite
