"""The painting page in a real browser, from the first picture to the downloaded file."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.service.app import create_app
from i2i.service.gallery import maps
from i2i.service.model import Model
from i2i.synthesizer import Synthesizer
from tests.service.browser import Page, assert_same


def test_painting_changes_the_picture_and_undo_brings_it_back(page: Page, served: Model) -> None:
    page.open()
    before, first = page.labels(served), page.picture()
    assert (before[:20] == 0).all() and (before[20:] == 2).all()
    assert_same(first, served.synthesizer(before, seed=1)[0])
    page.click("[aria-label=house]")
    page.draw([(10, 12), (20, 25), (30, 20)])
    page.settle()
    after = page.labels(served)
    assert set(np.unique(after)) == {0, 2, 3} and (after != before).mean() > 0.05
    assert_same(page.picture(), served.synthesizer(after, seed=1)[0])
    assert not np.array_equal(page.picture(), first)
    page.keys("z", held=["ctrl"])
    page.settle()
    assert np.array_equal(page.labels(served), before)
    assert_same(page.picture(), first)
    page.click("#redo")
    page.settle()
    assert np.array_equal(page.labels(served), after)


def test_every_tool_paints_exact_pixels(page: Page, served: Model) -> None:
    page.open()
    expected = page.labels(served)
    page.click("[aria-label=tree]")
    page.keys("r")
    page.draw([(30.5, 3.5), (40.2, 9.9)])
    expected[3:10, 30:41] = 1
    assert np.array_equal(page.labels(served), expected)
    page.click("[aria-label=house]")
    page.click("[data-tool=fill]")
    page.draw([(2.5, 2.5)])
    expected[:20][expected[:20] == 0] = 3
    assert np.array_equal(page.labels(served), expected)
    page.click("[data-tool=pick]")
    page.draw([(35.5, 5.5)])
    assert page.run("return document.querySelector('#palette [aria-checked=true]').ariaLabel") == "tree"
    page.keys("p")
    for corner in [(4, 24), (16, 24), (16, 36), (4, 36), (4, 24)]:
        page.draw([corner])
    expected[24:36, 4:16] = 1
    assert np.array_equal(page.labels(served), expected)
    page.click("[data-tool=eraser]")
    page.run("const s = document.querySelector('#size'); s.value = 1; s.dispatchEvent(new Event('input'))")
    page.draw([(5.5, 30.5), (12.5, 30.5)])
    expected[30, 5:13] = 0
    assert np.array_equal(page.labels(served), expected)
    page.settle()


def test_shapes_are_those_of_their_definition(page: Page) -> None:
    """Against a plain computation for every pixel."""
    page.open()
    random = np.random.default_rng(4)
    script = """
    const [width, height, shapes, done] = arguments;
    Promise.all([import('/page/raster.js'), import('/page/label_map.js')]).then(([raster, { LabelMap }]) => {
      done(shapes.map(([kind, ...rest]) => {
        const map = new LabelMap(width, height, new Uint8Array(width * height));
        raster[kind](map, ...rest);
        return Array.from(map.ids);
      }));
    });"""
    points = random.uniform(-6, 46, (60, 5, 2))
    named = [[{"x": x, "y": y} for x, y in five] for five in points.tolist()]
    widths = random.uniform(2, 20, 60).tolist()
    shapes: list[list[Any]] = [["stroke", five[0], five[1], w, 1] for five, w in zip(named, widths, strict=True)]
    shapes += [["polygon", five, 1] for five in named]
    height, width = 40, 37
    found = np.array(page.driver.execute_async_script(script, width, height, shapes)).reshape(-1, height, width)
    y, x = np.mgrid[:height, :width] + 0.5
    for i, five in enumerate(points):
        (ax, ay), (bx, by) = five[:2]
        along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
        near = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)) <= widths[i] / 2
        assert np.array_equal(found[i] == 1, near)
        crossings = np.zeros((height, width), int)
        for (px, py), (qx, qy) in zip(five, np.roll(five, -1, 0), strict=True):
            crosses = (py > y) != (qy > y)
            crossings += crosses & (x < px + (y - py) * (qx - px) / (qy - py))
        assert np.array_equal(found[60 + i] == 1, crossings % 2 == 1)


def test_styles_of_a_photo_of_chance_and_between(page: Page, served: Model, tmp_path: Path) -> None:
    page.open()
    labels, first = page.labels(served), page.picture()
    photo = np.random.default_rng(8).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "evening.png")
    page.give("#photo-file", tmp_path / "evening.png")
    page.until("document.querySelector('#well-from').textContent === 'evening'")
    page.settle()
    assert_same(page.picture(), served.synthesizer(labels, style=photo)[0])
    page.click("#well-to")
    page.click("#random")
    page.until("document.querySelector('#well-to').textContent.startsWith('seed ')")
    seed = int(page.run("return document.querySelector('#well-to').textContent").split()[1])
    page.run("const m = document.querySelector('#mix'); m.value = 25; m.dispatchEvent(new Event('input'))")
    page.settle()
    mixed = 0.75 * served.synthesizer.latent(photo) + 0.25 * served.drawn([seed])[0]
    assert_same(page.picture(), served.synthesizer(labels, style=mixed)[0])
    assert not np.array_equal(page.picture(), first)


def test_samples_stand_side_by_side_and_one_is_taken(page: Page, served: Model) -> None:
    page.open()
    page.keys("v")
    page.until("document.querySelectorAll('#samples img').length === 4")
    page.until("[...document.querySelectorAll('#samples img')].every((i) => i.naturalWidth === 56)")
    assert len(set(page.run("return [...document.querySelectorAll('#samples button')].map((b) => b.title)"))) == 4
    page.click("#samples button:nth-child(3)")
    page.until("document.querySelector('#well-from').textContent !== 'seed 1'")
    page.settle()
    seed = int(page.run("return document.querySelector('#well-from').textContent").split()[1])
    assert_same(page.picture(), served.synthesizer(page.labels(served), seed=seed)[0])


def test_files_out_and_in_are_exact(page: Page, served: Model, labels: np.ndarray, tmp_path: Path) -> None:
    page.open()
    served_map = tmp_path / "given.png"
    Image.fromarray(labels).save(served_map)
    page.give("#map-file", served_map)
    deadline = time.monotonic() + 20
    while not np.array_equal(page.labels(served), labels):
        assert time.monotonic() < deadline
    page.settle()
    page.click("#save")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(page.downloaded("map-")))), labels)
    page.click("#download")
    picture = np.asarray(Image.open(io.BytesIO(page.downloaded("picture-"))))
    assert np.array_equal(picture, page.picture())
    assert_same(picture, served.synthesizer(labels, seed=1)[0])
    (tmp_path / "photo.png").write_bytes(b"no image")
    page.give("#map-file", tmp_path / "photo.png")
    page.until("!document.querySelector('#message').hidden")
    assert "not a PNG file" in page.run("return document.querySelector('#message').textContent")
    assert np.array_equal(page.labels(served), labels)


def test_the_keyboard_is_enough(page: Page, served: Model) -> None:
    page.open()
    before = page.labels(served)
    page.run("document.querySelector('#map').focus()")
    page.keys("4")  # the fourth class
    page.keys("[", "[", "[", "[", "[", "[", "[")
    size = int(page.run("return document.querySelector('#size-value').textContent"))
    page.keys("ArrowLeft", "ArrowUp", held=["shift"])
    page.keys(" ")
    after = page.labels(served)
    assert 0 < (after != before).sum() <= (size + 1) ** 2 and set(np.unique(after[after != before])) == {3}
    page.keys("e")
    assert page.run("return document.querySelector('[data-tool=eraser]').ariaChecked") == "true"
    page.keys("?")
    assert page.run("return document.querySelector('#shortcuts').open")
    assert len(page.run("return [...document.querySelectorAll('#shortcuts dt')].map((d) => d.textContent)")) > 20
    page.click("#shortcuts button")
    nameless = """
    return [...document.querySelectorAll('button, input, select, a, canvas')].filter((e) =>
      !(e.ariaLabel || e.title || e.textContent.trim() || e.closest('label'))).map((e) => e.outerHTML);"""
    assert page.run(nameless) == []
    page.settle()


def test_before_and_after_and_the_theme(page: Page, served: Model) -> None:
    page.open()
    first = page.picture()
    page.click("[aria-label=tree]")
    page.draw([(8, 8), (40, 30)])
    page.settle()
    page.keys("c")
    assert np.array_equal(page.pixels("#before"), first) and not np.array_equal(page.picture(), first)
    page.run("const s = document.querySelector('#before-what'); s.value = 'map'; s.dispatchEvent(new Event('change'))")
    assert np.array_equal(page.pixels("#before"), page.pixels("#map"))
    paper = "return getComputedStyle(document.body).backgroundColor"
    day = page.run(paper)
    page.keys("t")
    assert page.run(paper) != day
    page.open()
    assert page.run(paper) != day  # kept
    page.keys("t")


def test_a_phone_shows_all_and_takes_fingers(page: Page, served: Model) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.open()
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        inside = """
        const dock = document.querySelector('.dock').getBoundingClientRect();
        const box = (id) => document.querySelector(id).getBoundingClientRect();
        return box('#picture').width > 140 && box('#map').width > 300 && box('#map').bottom <= dock.top + 1;"""
        assert page.run(inside)
        before = page.labels(served)
        page.click("[aria-label=house]")
        page.draw([(20, 10), (30, 20), (40, 15)], touch=True)
        page.settle()
        assert (page.labels(served) != before).mean() > 0.02
        assert page.run("return scrollY") == 0
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_fits_a_small_screen(page: Page) -> None:
    metrics = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.open()
        fits = "const e = document.documentElement; return e.scrollWidth <= 1280 && e.scrollHeight <= 720"
        assert page.run(fits)
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_many_classes_are_painted_with_sixteen_bits(page: Page, serve: Any) -> None:
    table = ClassTable.numbered(300)
    torch.manual_seed(0)
    generator = SPADEGenerator(300, None, width=1, hidden=2, base_size=(1, 1), gain=1.0)
    model = Model(Synthesizer(generator, LabelSemantics(300), None, LabelEncoding(table), Fixed((32, 32))))
    with serve(create_app(model, maps=maps(model, None))) as address:
        page.open(address)
        assert page.run("return document.querySelector('#moods').hidden && !document.querySelector('#filter').hidden")
        page.run("const f = document.querySelector('#filter'); f.value = '299'; f.dispatchEvent(new Event('input'))")
        shown = (
            "return [...document.querySelectorAll('#palette button')].filter((b) => !b.hidden).map((b) => b.ariaLabel)"
        )
        assert page.run(shown) == ["class 299"]
        page.click("[aria-label='class 299']")
        page.draw([(5, 5), (20, 20)])
        page.settle()
        page.click("#save")
        saved = Image.open(io.BytesIO(page.downloaded("map-")))
        ids = np.asarray(saved)
        assert saved.mode.startswith("I") and set(np.unique(ids)) == {0, 299}
        assert_same(page.picture(), model.synthesizer(ids.astype(np.int64))[0])


def test_the_api_is_described_on_a_page(page: Page) -> None:
    page.driver.get(f"{page.address}docs")
    page.until("document.querySelectorAll('section').length > 10")
    assert "/api/synthesize" in page.run("return document.body.textContent")
