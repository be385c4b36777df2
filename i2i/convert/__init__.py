"""Checkpoints of the original SPADE and pix2pixHD code: read into the networks of this package, written as one file."""

from __future__ import annotations

from pathlib import Path

from i2i.checkpoint import save_model
from i2i.convert.official import Official, Weights
from i2i.convert.options import Options
from i2i.convert.pix2pixhd import load_pix2pixhd
from i2i.convert.spade import load_spade
from i2i.errors import InputError

__all__ = ["Official", "convert", "load_official"]

_LOADERS = {"spade": load_spade, "global": load_pix2pixhd, "local": load_pix2pixhd}


def load_official(folder: str | Path) -> Official:
    """Load ``latest_net_{G,D,E}.pth`` with ``options.json`` or the original's ``opt.txt``. Nothing is unpickled.

    Args:
        folder: the checkpoint folder of one run; D and E may be absent.

    Raises:
        InputError: a file is missing or damaged, an option is missing or not known, or the weights do not fit.
    """
    folder = Path(folder)
    options = Options.read(folder)
    kind = options.get("netG", "spade")
    if kind not in _LOADERS:
        raise InputError(
            f"{options.path}: netG is {kind!r}; the generators that can be converted are {', '.join(_LOADERS)}"
        )
    return _LOADERS[kind](options, Weights.read(folder))


def convert(folder: str | Path, out: str | Path) -> None:
    """Write what :func:`load_official` reads as one model file, which needs no options any more.

    Args:
        folder: see :func:`load_official`.
        out: the file to write.

    Raises:
        InputError: as :func:`load_official`.
    """
    model = load_official(folder)
    save_model(
        out,
        generator=model.generator,
        semantics=model.semantics,
        encoder=model.encoder,
        discriminator=model.discriminator,
        encoding=model.encoding,
        resize=model.resize,
    )
