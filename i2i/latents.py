"""Arithmetic of styles: between two of them, and from one group of them towards another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.numbers import check_finite, real_numbers, whole_number

Way = Literal["spherical", "linear"]
"""How one style becomes another. Drawn styles lie near a sphere of radius √(style_dim); halfway along the straight line
between two of them lies a vector √2 times too short, of a kind that the generator has not seen. The spherical way turns
at equal speed, and keeps the length (Shoemake 1985; White 2016, "Sampling Generative Networks")."""


def mixed(a: Tensor, b: Tensor, weight: float | Tensor, way: Way = "spherical") -> Tensor:
    """A style between two; ``a`` itself at weight 0, ``b`` itself at weight 1.

    >>> a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    >>> mixed(a, b, 0.5)
    tensor([1.4142, 1.4142])
    >>> mixed(a, b, 0.5, way="linear")
    tensor([1., 1.])

    Args:
        a: (style_dim,); whole numbers become floating-point ones.
        b: (style_dim,).
        weight: share of ``b`` in [0, 1]; or (n,) of them.
        way: see :data:`Way`. Where no angle is to be had, as between opposite vectors or with a vector of zeros, the
            spherical way is the straight one.

    Returns:
        (style_dim,), or (n, style_dim).

    Raises:
        InputError: a weight out of range, vectors of different shapes, or another way.
    """
    if way not in get_args(Way):
        raise InputError(f"way is {way!r}; allowed are {', '.join(get_args(Way))}")
    if a.dim() != 1 or a.shape != b.shape:
        raise InputError(f"styles of shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be mixed; two vectors can")
    dtype = torch.promote_types(a.dtype, b.dtype)
    a, b = (x.to(dtype if dtype.is_floating_point else torch.get_default_dtype()) for x in (a, b))
    t = real_numbers(weight, "the weight of a mix", a.dtype).to(a.device)
    if not bool(((t >= 0) & (t <= 1)).all()):
        raise InputError(f"the weight of a mix is {weight}; allowed is 0 (all of the first) to 1 (all of the second)")
    t = t[..., None]
    straight = (1 - t) * a + t * b  # exact at both ends
    if way == "linear":
        return straight
    # In less than float64 rounding turns opposite vectors by a thousandth; not all devices have it.
    a, b, share = (x.cpu().double() for x in (a, b, t))
    lengths = a.norm() * b.norm()
    if lengths == 0:
        return straight
    angle = torch.acos((torch.dot(a, b) / lengths).clamp(-1, 1))
    if torch.sin(angle) < 1e-4:
        return straight
    turned = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
    return torch.where((t == 0) | (t == 1), straight, turned.to(straight.dtype).to(straight.device))


def interpolated(a: Tensor, b: Tensor, n: int, way: Way = "spherical") -> Tensor:
    """(n, style_dim), ``n`` styles at equal steps from ``a`` to ``b``, both included; see :func:`mixed`.

    Raises:
        InputError: as :func:`mixed`, or an ``n`` that is no whole number of two or more.
    """
    n = whole_number(n, "n")
    if n < 2:
        raise InputError(f"n is {n}; from one style to another there are at least 2")
    return mixed(a, b, torch.linspace(0, 1, n), way)


def moved(style: Tensor, towards: Sequence[Tensor], away: Sequence[Tensor], by: float = 1.0) -> Tensor:
    """``style + by · (mean of towards − mean of away)``, the arithmetic of Radford et al. 2016 (DCGAN), section 6.3.2.

    >>> moved(torch.zeros(2), towards=torch.tensor([[1.0, 2.0], [3.0, 2.0]]), away=[torch.ones(2)])
    tensor([1., 1.])

    Args:
        style: (style_dim,).
        towards: styles (style_dim,) that have in common what is to be added.
        away: styles that have in common what it is to take the place of.
        by: how far; 0 stays, negative numbers go the other way.

    Returns:
        (style_dim,).

    Raises:
        InputError: an empty group, or a ``by`` that is NaN or infinite.
    """
    if len(towards) == 0 or len(away) == 0:
        raise InputError(f"towards has {len(towards)} styles, away {len(away)}; each takes one or more")
    far = real_numbers(by, "by", style.dtype).to(style.device)
    check_finite(far, "by")
    return style + far * (torch.stack(list(towards)).mean(0) - torch.stack(list(away)).mean(0))
