"""All stations, in the order in which they are walked."""

from __future__ import annotations

from collections.abc import Sequence

from i2i.errors import InputError
from i2i.tour.digits import AUTOENCODERS, CLASSES, DIGITS
from i2i.tour.points import RING, SINE
from i2i.tour.scenes import PAIRS, STYLES
from i2i.tour.station import Station

ROAD: tuple[Station, ...] = (SINE, RING, DIGITS, AUTOENCODERS, CLASSES, PAIRS, STYLES)


def chosen(names: Sequence[str], road: Sequence[Station] = ROAD) -> list[Station]:
    """The stations of these names, in the order of the road; all where none is named.

    Raises:
        InputError: there is no such station.
    """
    known = [station.name for station in road]
    for name in names:
        if name not in known:
            raise InputError(f"no station {name!r}; the tour has {', '.join(known)}")
    return [station for station in road if not names or station.name in names]
