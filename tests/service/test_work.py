"""The queue: order, batches, bounds, and what happens to those who leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from i2i.service.problem import Problem
from i2i.service.work import WorkQueue


class Studio:
    """Work that waits until it is let go, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.door = threading.Event()

    def run(self, orders: Sequence[int]) -> list[int]:
        self.given.append(list(orders))
        assert self.door.wait(10)
        if any(order < 0 for order in orders):
            raise ValueError("negative")
        return [10 * order for order in orders]


def played(scene: Callable[[WorkQueue, Studio], Awaitable[None]], capacity: int = 8) -> Studio:
    async def whole() -> Studio:
        queue, studio = WorkQueue(capacity), Studio()
        queue.start()
        try:
            await asyncio.wait_for(scene(queue, studio), 20)
        finally:
            studio.door.set()
            await queue.stop()
        return studio

    return asyncio.run(whole())


async def begun(studio: Studio, number: int) -> None:
    while len(studio.given) < number:
        await asyncio.sleep(0.002)


def test_orders_of_one_key_are_made_together_and_the_first_comes_first() -> None:
    async def scene(queue: WorkQueue, studio: Studio) -> None:
        tickets = [queue.enter(0, studio.run)]
        await begun(studio, 1)
        for order, key in [(1, "a"), (2, "b"), (3, "a"), (4, None), (5, None), (6, "a"), (7, "a")]:
            tickets.append(queue.enter(order, studio.run, key, 3))
        studio.door.set()
        answers = await asyncio.gather(*(queue.answer(ticket, 5) for ticket in tickets))
        assert answers == [10 * order for order in range(8)]
        assert queue.batches == [1, 3, 1, 1, 1, 1] and queue.waiting == 0

    assert played(scene).given == [[0], [1, 3, 6], [2], [4], [5], [7]]


def test_a_full_queue_refuses_and_takes_again_later() -> None:
    async def scene(queue: WorkQueue, studio: Studio) -> None:
        first = queue.enter(1, studio.run)
        await begun(studio, 1)
        waiting = [queue.enter(order, studio.run) for order in (2, 3)]
        with pytest.raises(Problem) as refused:
            queue.enter(4, studio.run)
        assert refused.value.status == 429 and refused.value.retry is not None
        assert int(refused.value.response().headers["retry-after"]) >= 1
        waiting[0].withdraw(Problem(409, "never mind"))  # makes room
        waiting.append(queue.enter(5, studio.run))
        studio.door.set()
        assert await queue.answer(waiting[2], 5) == 50 and await queue.answer(first, 5) == 10
        with pytest.raises(Problem, match="never mind"):
            await queue.answer(waiting[0], 5)

    assert played(scene, capacity=2).given == [[1], [3], [5]]


def test_who_leaves_is_forgotten() -> None:
    async def scene(queue: WorkQueue, studio: Studio) -> None:
        tickets = [queue.enter(order, studio.run) for order in (1, 2, 3)]
        tasks = [asyncio.create_task(queue.answer(ticket, 5)) for ticket in tickets]
        await begun(studio, 1)
        tasks[0].cancel()  # is being made; the work goes on, and nobody gets it
        tasks[1].cancel()
        await asyncio.sleep(0.01)
        assert queue.waiting == 1
        studio.door.set()
        assert await tasks[2] == 30

    assert played(scene).given == [[1], [3]]


def test_patience_ends_before_and_within_the_work() -> None:
    async def scene(queue: WorkQueue, studio: Studio) -> None:
        made, waits = queue.enter(1, studio.run), queue.enter(2, studio.run)
        answers = await asyncio.gather(queue.answer(made, 0.1), queue.answer(waits, 0.1), return_exceptions=True)
        assert [answer.status for answer in answers if isinstance(answer, Problem)] == [504, 503]
        studio.door.set()
        assert await queue.answer(queue.enter(3, studio.run), 5) == 30

    assert played(scene).given == [[1], [3]]


def test_a_failure_is_of_its_own_order_alone() -> None:
    async def scene(queue: WorkQueue, studio: Studio) -> None:
        studio.door.set()
        tickets = [queue.enter(order, studio.run, "a", 4) for order in (1, -2, 3)]
        answers = await asyncio.gather(*(queue.answer(ticket, 5) for ticket in tickets), return_exceptions=True)
        assert answers[0] == 10 and isinstance(answers[1], ValueError) and answers[2] == 30
        assert await queue.answer(queue.enter(4, studio.run), 5) == 40

    assert played(scene).given == [[1, -2, 3], [1], [-2], [3], [4]]


def test_at_the_end_those_who_wait_are_told() -> None:
    async def whole() -> None:
        queue, studio = WorkQueue(4), Studio()
        queue.start()
        tickets = [queue.enter(order, studio.run) for order in (1, 2)]
        tasks = [asyncio.create_task(queue.answer(ticket, 5)) for ticket in tickets]
        await begun(studio, 1)
        studio.door.set()
        await queue.stop()
        with pytest.raises(Problem, match="stopping"):
            await tasks[1]
        tasks[0].cancel()

    asyncio.run(whole())
