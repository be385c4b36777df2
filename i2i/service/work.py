"""The queue before the model: bounded, in order, and what can be made together is.

The queue lives in the event loop, the work is done by one thread beside it: a model's operations use all cores, so that
two pictures at once would only wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from i2i.service.problem import Problem

Run = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(eq=False)
class Ticket:
    """A place in the queue.

    Attributes:
        order: what is wanted.
        run: makes the answers to several orders.
        key: orders of one key and ``run`` can be made together; None for one that is made alone.
        most: how many of them at most.
        answer: what ``run`` returned for it.
        started: whether the work on it has begun.
    """

    order: Any
    run: Run
    key: Hashable
    most: int
    answer: asyncio.Future[Any]
    started: bool = field(default=False)

    def withdraw(self, reason: Problem) -> None:
        """End an order that is still waiting; one that is being made stays."""
        if not self.started and not self.answer.done():
            self.answer.set_exception(reason)


class WorkQueue:
    """Takes orders in and answers them in turn.

    Args:
        capacity: orders that wait.

    Attributes:
        batches: how many orders each of the last pieces of work had.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.batches: list[int] = []
        self._waiting: list[Ticket] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="i2i-model")
        self._worker: asyncio.Task[None] | None = None
        self._seconds = 0.1  # a piece of work takes about so long

    @property
    def waiting(self) -> int:
        """Orders that are not begun."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to work; in the event loop."""
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Drop what waits, and come to an end after what is being made."""
        for ticket in self._waiting:
            ticket.withdraw(Problem(503, "the service is stopping"))
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    def enter(self, order: Any, run: Run, key: Hashable = None, most: int = 1) -> Ticket:
        """Take an order in; see :class:`Ticket`.

        Raises:
            Problem: 429, the queue is full.
        """
        self._tidy()
        if len(self._waiting) >= self.capacity:
            retry = self._seconds * len(self._waiting)
            raise Problem(429, f"{len(self._waiting)} requests wait already, the most that may; try again", retry)
        ticket = Ticket(order, run, key, most, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        self._arrived.set()
        return ticket

    async def answer(self, ticket: Ticket, patience: float) -> Any:
        """What the work on a ticket gave.

        Args:
            ticket: of :meth:`enter`. If this call is cancelled, so is the order.
            patience: seconds.

        Raises:
            Problem: 503 if the order was not begun in time, 504 if not done; or why it was withdrawn.
        """
        try:
            done, _ = await asyncio.wait({ticket.answer}, timeout=patience)
            if done:
                return ticket.answer.result()
            if ticket.started:
                raise Problem(504, f"the picture was not done within {patience:g} seconds; try a smaller map")
            retry = self._seconds * (1 + len(self._waiting))
            raise Problem(503, f"the request's turn did not come within {patience:g} seconds", retry)
        finally:
            ticket.answer.cancel()
            self._tidy()

    def _tidy(self) -> None:
        """Forget what nobody waits for any more."""
        self._waiting = [ticket for ticket in self._waiting if not ticket.answer.done()]

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._tidy()
            if not self._waiting:
                self._arrived.clear()
                continue
            tickets = self._next()
            for ticket in tickets:
                ticket.started = True
            self.batches = [*self.batches[-999:], len(tickets)]
            began = time.monotonic()
            await self._make(tickets)
            self._seconds = 0.8 * self._seconds + 0.2 * (time.monotonic() - began)

    def _next(self) -> list[Ticket]:
        """The first in the queue, and those behind it that can be made with it."""
        first = self._waiting[0]
        fitting = [first]
        if first.key is not None:
            fitting = [t for t in self._waiting if (t.key, t.run) == (first.key, first.run)][: first.most]
        self._waiting = [ticket for ticket in self._waiting if ticket not in fitting]
        return fitting

    async def _make(self, tickets: list[Ticket]) -> None:
        loop = asyncio.get_running_loop()
        orders = [ticket.order for ticket in tickets]
        try:
            answers = await loop.run_in_executor(self._thread, tickets[0].run, orders)
        except Exception as error:
            if len(tickets) == 1:
                if not tickets[0].answer.done():
                    tickets[0].answer.set_exception(error)
                return
            for ticket in tickets:  # an order that cannot be made must not spoil the others
                await self._make([ticket])
            return
        for ticket, answer in zip(tickets, answers, strict=True):
            if not ticket.answer.done():  # its client may have gone meanwhile
                ticket.answer.set_result(answer)
