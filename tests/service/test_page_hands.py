"""Keyboard, pointer and history: one hand at a time, one step back at a time, and every class within reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.service.app import create_app
from i2i.service.gallery import maps
from i2i.service.model import Model
from i2i.synthesizer import Synthesizer
from tests.service.browser import Page, assert_same


@pytest.fixture
def fine(page: Page, served: Model) -> Page:
    """The page with a brush of one pixel that paints houses, and the focus on the map."""
    page.open()
    page.run("const s = document.querySelector('#size'); s.value = 1; s.dispatchEvent(new Event('input'))")
    page.click("[aria-label=house]")
    page.run("document.querySelector('#map').focus()")
    return page


def plain(classes: int, size: tuple[int, int]) -> Model:
    """A model without style."""
    torch.manual_seed(0)
    generator = SPADEGenerator(classes, None, width=1, hidden=2, base_size=(1, 1), gain=1.0)
    encoding = LabelEncoding(ClassTable.numbered(classes))
    return Model(Synthesizer(generator, LabelSemantics(classes), None, encoding, Fixed(size)))


def test_keys_do_not_disturb_a_stroke_of_the_pointer(fine: Page, served: Model) -> None:
    expected = before = fine.labels(served)
    fine.mouse("mousePressed", (5.5, 5.5))
    fine.mouse("mouseMoved", (15.5, 5.5))
    fine.keys("ArrowRight", " ", "ArrowDown", " ")
    fine.mouse("mouseMoved", (20.5, 5.5))
    fine.mouse("mouseReleased", (20.5, 5.5))
    expected = before.copy()
    expected[5, 5:21] = 3
    assert np.array_equal(fine.labels(served), expected)
    fine.keys("z", held=["ctrl"])
    assert np.array_equal(fine.labels(served), before)
    fine.click("#redo")
    assert np.array_equal(fine.labels(served), expected)
    fine.settle()


def test_the_pointer_does_not_disturb_a_stroke_of_the_keys(fine: Page, served: Model) -> None:
    before = fine.labels(served)
    fine.key("keydown", " ")
    fine.mouse("mouseMoved", (3.5, 3.5), button="none")
    fine.draw([(9.5, 9.5), (12.5, 12.5)])
    fine.key("keydown", "ArrowRight")
    fine.key("keyup", " ")
    expected = before.copy()
    expected[20, 28:30] = 3  # from the middle, where the keys begin
    assert np.array_equal(fine.labels(served), expected)
    fine.keys("z", held=["ctrl"])
    assert np.array_equal(fine.labels(served), before)
    fine.settle()


def test_undo_takes_back_what_is_begun_and_no_more(fine: Page, served: Model) -> None:
    before = fine.labels(served)
    fine.draw([(5.5, 5.5), (15.5, 5.5)])
    once = fine.labels(served)
    fine.keys("p")
    for corner in [(20, 20), (30, 20), (30, 30)]:
        fine.draw([corner])
    assert fine.run("return document.querySelectorAll('#overlay polygon').length") == 1
    fine.keys("z", held=["ctrl"])
    assert fine.run("return document.querySelectorAll('#overlay polygon').length") == 0
    assert np.array_equal(fine.labels(served), once)
    for tool in ("b", "r"):
        fine.keys(tool)
        fine.mouse("mousePressed", (30.5, 30.5))
        fine.mouse("mouseMoved", (40.5, 33.5))
        fine.keys("z", held=["ctrl"])
        fine.mouse("mouseMoved", (45.5, 35.5))
        fine.mouse("mouseReleased", (45.5, 35.5))
        assert np.array_equal(fine.labels(served), once)
    fine.keys("z", held=["ctrl"])
    assert np.array_equal(fine.labels(served), before)
    fine.settle()


def test_before_the_last_change_outlives_what_changes_nothing(fine: Page, served: Model) -> None:
    first = fine.picture()
    fine.draw([(5.5, 5.5), (45.5, 35.5)])
    fine.settle()
    fine.keys("c")
    assert not np.array_equal(fine.picture(), first)

    def nothing_happened() -> bool:
        fine.settle()
        return np.array_equal(fine.pixels("#before"), first)

    fine.draw([(5.5, 5.5)])  # a house where one is
    assert nothing_happened()
    fine.keys("f")
    fine.draw([(5.5, 5.5)])
    assert nothing_happened()
    fine.keys("y", held=["ctrl"])
    assert nothing_happened()
    fine.keys("b")
    fine.mouse("mousePressed", (30.5, 3.5))
    fine.mouse("mouseMoved", (40.5, 3.5))
    fine.keys("Escape")
    fine.mouse("mouseReleased", (40.5, 3.5))
    assert nothing_happened()
    fine.click("#gallery .tile")  # the style that is there
    assert nothing_happened()
    second = fine.picture()
    fine.keys("z", held=["ctrl"])
    fine.settle()
    assert np.array_equal(fine.pixels("#before"), second)


def test_tab_leads_to_the_classes_that_the_filter_shows(page: Page, serve: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    model = plain(30, (32, 32))
    focus = "return document.activeElement.ariaLabel"
    with serve(create_app(model, maps=maps(model, None))) as address:
        page.open(address)
        box = page.driver.find_element(By.CSS_SELECTOR, "#filter")
        box.send_keys("class 2")
        box.send_keys(Keys.TAB)
        assert page.run(focus) == "class 2"
        page.keys("ArrowDown")
        assert page.run(focus) == "class 20"
        page.keys("5")  # one that is hidden
        box.send_keys(Keys.TAB)
        assert page.run(focus) == "class 2"
        box.clear()
        box.send_keys("4", Keys.TAB)  # the chosen one is among them, and not the first
        assert page.run(focus) == "class 4"
        page.settle()


def test_a_model_without_style_has_no_samples(page: Page, serve: Any) -> None:
    model = plain(4, (32, 32))
    with serve(create_app(model, maps=maps(model, None))) as address:
        page.open(address)
        page.keys("v", "m")
        assert page.asked("/api/synthesize") == page.asked("/api/latent") == 0
        page.keys("b")
        assert page.run("return document.querySelector('[data-tool=brush]').ariaChecked") == "true"


def test_before_the_first_change_is_the_picture_itself(page: Page, serve: Any) -> None:
    model = plain(4, (32, 300))  # as wide as a canvas is by itself
    with serve(create_app(model, maps=maps(model, None))) as address:
        page.open(address)
        page.keys("c")
        assert np.array_equal(page.pixels("#before"), page.picture()) and page.picture().std() > 0


def test_samples_keep_no_old_pictures_and_are_made_once_for_a_map(page: Page) -> None:
    page.open()
    counted = """
    const done = arguments[0], [make, forget] = [URL.createObjectURL, URL.revokeObjectURL], kept = new Set();
    URL.createObjectURL = (file) => { const url = make.call(URL, file); kept.add(url); return url; };
    URL.revokeObjectURL = (url) => { kept.delete(url); forget.call(URL, url); };
    import('/page/samples.js').then(async ({ Samples }) => {
      let asked = 0;
      const request = async () => { asked += 1; return new Blob(['picture']); };
      const samples = new Samples(document.createElement('div'), request, () => {});
      const found = [];
      for (const step of ['draw', 'refresh', 'late', 'refresh', 'draw']) {
        await samples[step]();
        found.push([asked, kept.size]);
      }
      done(found);
    });"""
    found = page.driver.execute_async_script(counted)
    assert found == [[4, 4], [4, 4], [4, 4], [8, 4], [12, 4]]


def test_a_sample_is_taken_once(page: Page, served: Model) -> None:
    page.open()
    page.keys("v")
    page.until("!document.querySelector('#samples .late')")
    tiles = "return [...document.querySelectorAll('#gallery .tile')].map((tile) => tile.title)"
    for number in (1, 2, 1, 1):
        page.click(f"#samples .tile:nth-child({number})")
        page.quiet()
    assert len(page.run(tiles)) == len(set(page.run(tiles))) == 3
    page.settle()
    seed = int(page.text("#well-from").split()[1])
    assert seed == int(page.run("return document.querySelector('#samples .tile').title").split()[-1].strip(")"))
    assert_same(page.picture(), served.synthesizer(page.labels(served), seed=seed)[0])
