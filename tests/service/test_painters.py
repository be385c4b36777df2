"""Canvases of open pages: bounded in number and time, and the newest stroke wins."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from i2i.service.model import Model, Order
from i2i.service.painters import Painters
from i2i.service.problem import Problem
from i2i.service.work import WorkQueue

NAMES = [f"{number:032x}" for number in range(4)]


def order(label: int) -> Order:
    return Order(np.full((40, 56), label, np.uint8), seed=1)


def test_the_newest_stroke_wins(served: Model) -> None:
    async def scene() -> None:
        queue, painters = WorkQueue(8), Painters(served.synthesizer.canvas, 2, 60)
        strokes = [painters.enter(NAMES[0], number, order(number), queue) for number in (1, 2, 3)]
        other = painters.enter(NAMES[1], 1, order(0), queue)
        with pytest.raises(Problem, match="newer stroke") as late:
            painters.enter(NAMES[0], 2, order(0), queue)
        assert late.value.status == 409
        queue.start()
        for stroke in strokes[:2]:
            with pytest.raises(Problem, match="newer stroke"):
                await queue.answer(stroke, 9)
        picture = (await queue.answer(strokes[2], 9))[0]
        expected = served.synthesizer(order(3).labels, seed=1)[0]
        assert np.abs(picture.astype(int) - expected).max() <= 1
        assert (await queue.answer(other, 9)).shape == (1, 40, 56, 3)
        painters.close()
        await queue.stop()

    asyncio.run(scene())


def test_a_stroke_that_finds_no_room_can_come_again(served: Model) -> None:
    async def scene() -> None:
        queue, painters = WorkQueue(1), Painters(served.synthesizer.canvas, 2, 60)
        other = painters.enter(NAMES[1], 1, order(0), queue)
        for _ in range(2):
            with pytest.raises(Problem) as full:
                painters.enter(NAMES[0], 1, order(1), queue)
            assert full.value.status == 429
        other.withdraw(full.value)
        painters.enter(NAMES[0], 1, order(1), queue)
        newer = painters.enter(NAMES[0], 2, order(2), queue)  # in the place of the one before
        queue.start()
        expected = served.synthesizer(order(2).labels, seed=1)
        assert np.abs((await queue.answer(newer, 60)).astype(int) - expected).max() <= 1
        painters.close()
        await queue.stop()

    asyncio.run(scene())


def test_the_canvas_used_longest_ago_makes_room_and_idle_ones_go(served: Model) -> None:
    async def scene() -> None:
        made = 0

        def canvas() -> object:
            nonlocal made
            made += 1
            return served.synthesizer.canvas()

        queue, painters = WorkQueue(20), Painters(canvas, 2, 0.15)  # type: ignore[arg-type]
        for stroke, name in enumerate([0, 1, 0, 2, 0], 1):
            painters.enter(NAMES[name], stroke, order(0), queue)
        assert len(painters) == 2 and made == 3  # 2 came in place of 1; 0 was kept
        painters.enter(NAMES[1], 1, order(0), queue)
        assert made == 4
        await asyncio.sleep(0.3)
        assert len(painters) == 0
        await queue.stop()

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["", "x" * 32, "0" * 31, "0" * 33, "../" * 10 + "ab", "A" * 32, "0" * 32 + "\n"])
def test_a_painters_name_is_nothing_but_a_number(served: Model, name: str) -> None:
    painters = Painters(served.synthesizer.canvas, 2, 60)
    with pytest.raises(Problem, match="hexadecimal"):
        painters.enter(name, 1, order(0), WorkQueue(1))
