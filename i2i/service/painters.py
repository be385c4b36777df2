"""Who paints: a canvas for each open page, which computes only what a stroke changed; the newest stroke wins."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from i2i.canvas import Canvas
from i2i.pictures import Pixels
from i2i.service.model import Order
from i2i.service.problem import Problem
from i2i.service.work import Ticket, WorkQueue

_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(eq=False)
class Painter:
    """One page.

    Attributes:
        canvas: its picture.
        newest: the place in the queue of its last stroke.
        stroke: the number of that.
        farewell: gives the canvas up when it has been idle for long.
    """

    canvas: Canvas
    newest: Ticket | None = None
    stroke: int = 0
    farewell: asyncio.TimerHandle | None = None

    def paint(self, orders: Sequence[Order]) -> list[Pixels]:
        """The picture after a stroke, (1, H, W, 3)."""
        return [self.canvas.update(o.labels, o.instances, style=o.look(), seed=o.seed)[None] for o in orders]


class Painters:
    """The canvases that are kept. One that was given up costs its painter the time of a whole picture, no more.

    Args:
        canvas: makes an empty one.
        most: how many are kept.
        idle: seconds after which an unused one is given up.
    """

    def __init__(self, canvas: Callable[[], Canvas], most: int, idle: float) -> None:
        self._canvas = canvas
        self._most = most
        self._idle = idle
        self._painters: OrderedDict[str, Painter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._painters)

    def enter(self, name: str, stroke: int, order: Order, queue: WorkQueue) -> Ticket:
        """Queue a stroke; one of the same painter that still waits is withdrawn.

        Args:
            name: 32 hexadecimal digits that the page has drawn.
            stroke: its number, which counts up; requests may overtake one another on their way.
            order: the map after the stroke.
            queue: where to.

        Raises:
            Problem: 400 for another name, 409 for an old stroke, 429 if the queue is full.
        """
        if not _NAME.fullmatch(name):
            raise Problem(400, "painter: 32 lower-case hexadecimal digits are needed, drawn by the page")
        painter, old = self._of(name), Problem(409, "a newer stroke came; this one is out of date")
        if stroke <= painter.stroke:
            raise old
        if painter.newest is not None:
            painter.newest.withdraw(old)  # it makes room, so that a stroke is never lost to one that is refused
        painter.newest = queue.enter(order, painter.paint)
        painter.stroke = stroke  # only now: one that was refused can come again
        return painter.newest

    def close(self) -> None:
        """Give all canvases up."""
        while self._painters:
            self._drop(next(iter(self._painters)))

    def _of(self, name: str) -> Painter:
        painter = self._painters.pop(name, None) or Painter(self._canvas())
        if painter.farewell is not None:
            painter.farewell.cancel()
        painter.farewell = asyncio.get_running_loop().call_later(self._idle, self._drop, name)
        self._painters[name] = painter
        if len(self._painters) > self._most:
            self._drop(next(iter(self._painters)))
        return painter

    def _drop(self, name: str) -> None:
        painter: Any = self._painters.pop(name, None)
        if painter is not None and painter.farewell is not None:
            painter.farewell.cancel()
