"""`i2i models`: the families of models, how large they are, and the configuration to start from."""

from __future__ import annotations

from collections.abc import Sequence

from i2i.commands.arguments import Parser
from i2i.errors import InputError
from i2i.families import FAMILIES, Family, Sizes

_HEADER = ("model", "on", "photo", "channels", "G", "D", "E", "GMAC", "train with i2i fit …")
_NUMBERS = slice(3, 8)  # columns that are aligned at the right
_NOTES = """
G, D, E: millions of parameters of generator, discriminator and encoder. Channels: classes, and one for the edges
between instances where the networks take them. GMAC: 10^9 multiply-accumulates of G for one photo, convolutions over
one-hot labels counted in full; look-ups by label pattern need fewer, see i2i benchmark. Configurations are in the
folder configs of the checkout; what SPADE grew from (GAN, WGAN, DCGAN, VAE, …) is in configs/foundations, and small."""


def run(arguments: Sequence[str]) -> int:
    """Count and print."""
    parser = Parser("i2i models", description="The families of models. Without options each on its own data set.")
    add = parser.add_argument
    add("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="of the photos, for example 512 1024")
    add("--classes", type=int, help="classes of the label maps; edges between instances come on top")
    options = parser.parse_args(arguments[1:])
    if options.size and min(options.size) < 1:
        raise InputError(f"--size is {options.size[0]} {options.size[1]}; allowed are 1 and more")
    if options.classes is not None and options.classes < 1:
        raise InputError(f"--classes is {options.classes}; allowed are 1 and more")
    size = (options.size[0], options.size[1]) if options.size else None
    counted = [(family, family.sizes(size, options.classes)) for family in FAMILIES]
    reasons = {f.name: s.multiply_accumulates for f, s in counted if isinstance(s.multiply_accumulates, str)}
    if len(reasons) == len(counted):
        raise InputError(f"no family makes such photos; {next(iter(reasons.values()))}")
    print("\n".join(_aligned([_HEADER, *(_row(family, sizes) for family, sizes in counted)])))
    for name, reason in reasons.items():
        print(f"{name}: {reason}")
    print(_NOTES)
    return 0


def _row(family: Family, sizes: Sizes) -> tuple[str, ...]:
    work = sizes.multiply_accumulates
    return (
        family.name,
        family.data,
        f"{sizes.size[0]} x {sizes.size[1]}",
        str(sizes.channels),
        *("-" if n is None else f"{n / 1e6:.1f}" for n in (sizes.generator, sizes.discriminator, sizes.encoder)),
        "-" if isinstance(work, str) else f"{work / 1e9:.1f}",
        " ".join(f"-c {path}" for path in family.configs),
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = range(len(widths))[_NUMBERS]
    return [
        "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
