"""The page when the service is busy, broken or slow: nothing is lost, nothing old wins, and what fails is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import numpy as np
import pytest

from i2i.service.app import create_app
from i2i.service.gallery import maps
from i2i.service.limits import Limits
from i2i.service.model import Model
from tests.service.browser import Page, assert_same, eventually
from tests.service.wire import Spoil, Wire, cut, no_picture, refused

SIZE = "return document.querySelector('#picture').getBoundingClientRect().toJSON()"
RAW = {"content-type": "application/octet-stream"}


@pytest.fixture
def wire(served: Model) -> Wire:
    return Wire(create_app(served, "tiny", maps(served, None)))


@contextmanager
def opened(page: Page, wire: Wire, serve: Any) -> Iterator[str]:
    """The page with the fill at hand, each press of which is one change."""
    with serve(wire) as address:
        page.open(address)
        page.click("[aria-label=house]")
        page.click("[data-tool=fill]")
        yield address


def test_no_picture_is_asked_for_before_its_style_is_known(page: Page, served: Model, wire: Wire, serve: Any) -> None:
    """However late the first style comes, and whatever is painted until then."""
    with serve(wire) as address:
        with wire.held("/api/latent"):
            page.load(address)
            page.click("[aria-label=house]")
            page.draw([(10, 12), (20, 25)])
            page.click("[data-tool=eraser]")
            page.until("window.asked.includes('/api/latent')")
            assert page.asked("/api/paint") == 0
        page.settle()
        painted = page.labels(served)
        assert set(np.unique(painted)) == {0, 2, 3}
        assert_same(page.picture(), served.synthesizer(painted, seed=1)[0])
        assert page.asked("/api/paint") == 1
        page.click("[data-tool=rectangle]")  # another tool is no change
        assert page.run("return document.querySelector('#picture').dataset.settled") == "true"


def test_a_full_queue_is_asked_again_until_it_has_room(
    page: Page, served: Model, door: threading.Event, serve: Any
) -> None:
    app = create_app(served, "tiny", maps(served, None), limits=Limits(queue=1))
    wire = Wire(app)

    def other(address: str) -> int:
        url = f"{address}/api/synthesize?seed=1&width=56&height=40"
        return httpx2.post(url, content=bytes(40 * 56), headers=RAW, timeout=90).status_code

    with opened(page, wire, serve) as address, ThreadPoolExecutor(2) as others:
        page.keys("c")
        done, size = len(app.state.api.queue.batches), page.run(SIZE)
        try:
            asked = [others.submit(other, address)]
            eventually(lambda: len(app.state.api.queue.batches) > done)  # it is in the work
            asked.append(others.submit(other, address))
            eventually(lambda: app.state.api.queue.waiting == 1)
            page.draw([(10, 12)])
            eventually(lambda: ("/api/paint", 429) in wire.seen)
            page.until("document.querySelector('#status').textContent.includes('requests wait')")
            assert page.run(SIZE) == size  # no text moves the picture
        finally:
            door.set()
        assert [one.result() for one in asked] == [200, 200]
        page.settle()
        assert_same(page.picture(), served.synthesizer(page.labels(served), seed=1)[0])
        assert ("/api/paint", 409) not in wire.seen


@pytest.mark.parametrize("spoil", [refused(503), refused(409), cut], ids=["late", "overtaken", "broken off"])
def test_a_lost_answer_is_asked_for_again(page: Page, served: Model, wire: Wire, serve: Any, spoil: Spoil) -> None:
    page.expected += ["/api/paint.* status of 503", "/api/paint.* net::ERR_"]
    with opened(page, wire, serve):
        wire.spoiled["/api/paint"] = [spoil]
        page.draw([(10, 12)])
        page.settle()
        assert page.run("return document.querySelector('#progress').hidden")
        assert_same(page.picture(), served.synthesizer(page.labels(served), seed=1)[0])
        assert page.asked("/api/paint") == 3 and [s for p, s in wire.seen if p == "/api/paint"][-1] == 200


def test_an_answer_that_is_no_picture_is_said(page: Page, served: Model, wire: Wire, serve: Any) -> None:
    page.expected += ["InvalidStateError|could not be decoded"]
    with opened(page, wire, serve):
        before = page.picture()
        wire.spoiled["/api/paint"] = [no_picture]
        page.draw([(10, 12)])
        page.until("document.querySelector('#progress').hidden")
        assert "decoded" in page.text("#status")
        assert np.array_equal(page.picture(), before)
        page.draw([(10, 30)])
        page.settle()
        assert_same(page.picture(), served.synthesizer(page.labels(served), seed=1)[0])


WELLS = "return ['from', 'to'].map((end) => document.querySelector(`#well-${end}`).textContent)"


def test_a_late_style_wins_over_no_newer_one_and_stays_at_its_end(page: Page, wire: Wire, serve: Any) -> None:
    with opened(page, wire, serve):
        page.click("#random")
        page.until("document.querySelectorAll('#gallery .tile').length === 2")
        page.settle()
        assert page.run(WELLS)[0] != "seed 1"
        with wire.held("/api/latent"):
            page.click("#random")
            page.click("#gallery .tile:nth-child(1)")
            assert page.run(WELLS)[0] == "seed 1"
        page.quiet()
        assert page.run(WELLS) == ["seed 1", "choose another"]
        with wire.held("/api/latent"):
            page.click("#random")
            page.click("#well-to")
        page.quiet()
        style, other = page.run(WELLS)
        assert style.startswith("seed ") and style != "seed 1" and other == "choose another"
        page.settle()


def test_the_first_style_is_that_of_the_picture_whichever_end_is_chosen(page: Page, wire: Wire, serve: Any) -> None:
    with serve(wire) as address:
        with wire.held("/api/latent"):
            page.load(address)
            page.click("#well-to")
        page.settle()
        assert page.run(WELLS) == ["seed 1", "choose another"]


def test_without_styles_every_stroke_is_in_the_same_one(page: Page, served: Model, wire: Wire, serve: Any) -> None:
    page.expected += ["/api/styles.* status of 503"]
    wire.spoiled["/api/styles"] = [refused(503)]
    with opened(page, wire, serve):
        assert_same(page.picture(), served.synthesizer(page.labels(served), seed=1)[0])


@pytest.mark.parametrize("status", [500, 504])
def test_a_style_whose_picture_failed_is_not_shown_by_another(page: Page, wire: Wire, serve: Any, status: int) -> None:
    page.expected += ["/api/paint.* status of 50"]
    with opened(page, wire, serve):
        assert page.run("return Boolean(document.querySelector('#well-from img'))")
        wire.spoiled["/api/paint"] = [refused(status, "too late")]
        page.click("#random")
        page.until("document.querySelector('#status').textContent === 'too late'")
        page.settle()
        assert page.run(WELLS)[0] != "seed 1" and not page.run("return document.querySelector('#well-from img')")
        page.draw([(10, 12)])
        page.settle()
        assert page.run("return Boolean(document.querySelector('#well-from img'))")


WORDS = "[...document.querySelectorAll('#samples span:not([hidden])')].map((span) => span.textContent)"
SHOWN = "[...document.querySelectorAll('#samples .tile:not(.late) img')].filter((i) => i.naturalWidth === 56).length"


def test_a_sample_that_is_refused_comes_later_or_says_why_not(page: Page, wire: Wire, serve: Any) -> None:
    page.expected += ["/api/synthesize.* status of 5"]
    with opened(page, wire, serve):
        wire.spoiled["/api/synthesize"] = [refused(429), refused(503)]
        page.keys("v")
        page.until(f"{SHOWN} === 4")
        wire.spoiled["/api/synthesize"] = 99 * [refused(500, "these failed")]
        page.keys("v")
        page.until("document.querySelector('#message').textContent === 'these failed'")
        page.until(f"{WORDS}.filter((word) => word === 'failed').length === 4")
        wire.spoiled.clear()
        page.draw([(10, 12)])
        page.until(f"{SHOWN} === 4")
        page.until(f"{WORDS}.length === 0")


def test_starting_anew_is_offered_once(page: Page, wire: Wire, serve: Any) -> None:
    with opened(page, wire, serve):
        with wire.held("/api/maps/0"):
            page.click("#new")
            page.click("#new")
        page.until("document.querySelector('#starts').open")
        page.quiet()
        assert len(page.run("return [...document.querySelectorAll('#starts-list button')]")) == 2
        page.click("#starts-list button:nth-child(2)")
        page.settle()
        page.click("#new")
        page.quiet()
        assert page.run("return document.querySelector('#starts').open")
        assert len(page.run("return [...document.querySelectorAll('#starts-list button')]")) == 2
