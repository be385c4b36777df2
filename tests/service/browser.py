"""A real browser on the painting page."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2i.classes import LabelEncoding
from i2i.service.model import Model

LOCAL = ("http://127.0.0.1:", "blob:", "data:", "about:", "chrome")

# Keeps in the page what was asked for, and how many answers are waited for, to their last byte or pixel.
WATCH = """
window.asked = [];
window.underWay = 0;
for (const [owner, name] of [[window, 'fetch'], [window, 'createImageBitmap'],
    ...['arrayBuffer', 'blob', 'json', 'text'].map((name) => [Response.prototype, name])]) {
  const real = owner[name];
  owner[name] = function (...given) {
    if (name === 'fetch') window.asked.push(String(given[0]).split('?')[0]);
    window.underWay += 1;
    const answer = real.apply(this, given);
    const done = () => { window.underWay -= 1; };
    answer.then(done, done);
    return answer;
  };
}
"""


class Page:
    """A browser on the page, with what the tests do there."""

    def __init__(self, driver: Any, address: str, downloads: Path) -> None:
        self.driver = driver
        self.address = address
        self.downloads = downloads
        self.expected = ["/api/.* status of 4"]  # what the browser may complain of

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def open(self, address: str | None = None) -> None:
        self.run("document.documentElement.dataset.left = 'true'")  # on a busy machine it answers a little longer
        self.driver.get(address or self.address)
        self.until("document.documentElement.dataset.left === undefined && document.querySelector('#picture')")
        self.settle()

    def load(self, address: str) -> None:
        """Open the page of a service that does not answer all of its requests."""
        self.driver.get(address)
        self.until("document.querySelectorAll('#palette button').length")

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def until(self, script: str) -> None:
        deadline = time.monotonic() + 30
        while not self.run(f"return Boolean({script})"):
            assert time.monotonic() < deadline, f"{script} did not come true; {self.driver.get_log('browser')[-3:]}"
            time.sleep(0.02)

    def settle(self) -> None:
        self.until("document.querySelector('#picture').dataset.settled === 'true'")

    def quiet(self) -> None:
        """Wait until no request is under way; what hangs on the answers is done then."""
        self.until("window.underWay === 0")

    def asked(self, path: str) -> int:
        """How many requests of a path were made since the page was opened."""
        return int(self.run("return window.asked.filter((one) => one === arguments[0]).length", path))

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def stays_at_home(self) -> None:
        """No request has left the machine, and the browser has nothing to complain of."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        assert asked and all(url.startswith(LOCAL) for url in asked)
        faults = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert all(any(re.search(one, fault) for one in self.expected) for fault in faults), faults

    def pixels(self, canvas: str) -> np.ndarray:
        script = """
        const canvas = document.querySelector(arguments[0]);
        const image = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return [canvas.height, canvas.width, Array.from(image.data)];"""
        height, width, values = self.run(script, canvas)
        return np.array(values, np.uint8).reshape(height, width, 4)[:, :, :3]

    def picture(self) -> np.ndarray:
        return self.pixels("#picture")

    def labels(self, model: Model) -> np.ndarray:
        """The map as painted: every pixel is in the very colour of a class."""
        encoding = model.palette.encoding
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        exact = LabelEncoding(encoding.classes, tolerance=0)
        return exact.decode(self.pixels("#map"))

    def places(self, points: Sequence[tuple[float, float]]) -> list[dict[str, float]]:
        """Where points of the map are on the screen."""
        script = """
        const canvas = document.querySelector('#map'), box = canvas.getBoundingClientRect();
        return [box.x, box.y, box.width / canvas.width, box.height / canvas.height];"""
        left, top, across, down = self.run(script)
        return [{"x": left + x * across, "y": top + y * down} for x, y in points]

    def mouse(self, kind: str, point: tuple[float, float], button: str = "left") -> None:
        """mousePressed, mouseMoved or mouseReleased at a point of the map."""
        event = {"type": kind, "button": button, "clickCount": 1} | self.places([point])[0]
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def draw(self, points: Sequence[tuple[float, float]], touch: bool = False) -> None:
        """Press at the first point, in pixels of the map, move to the others, release."""
        places = self.places(points)
        if touch:
            for kind, place in [("touchStart", places[0]), *(("touchMove", place) for place in places[1:])]:
                self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            return
        kinds = ["mousePressed", *["mouseMoved"] * (len(places) - 1), "mouseReleased"]
        for kind, place in zip(kinds, [*places, places[-1]], strict=True):
            event = {"type": kind, "button": "left", "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event | place)

    def key(self, kind: str, name: str, held: Sequence[str] = ()) -> None:
        """keydown or keyup where the focus is."""
        script = """
        document.activeElement.dispatchEvent(new KeyboardEvent(arguments[0], {
          key: arguments[1], ctrlKey: arguments[2].includes('ctrl'), shiftKey: arguments[2].includes('shift'),
          bubbles: true, cancelable: true}));"""
        self.run(script, kind, name, list(held))

    def keys(self, *names: str, held: Sequence[str] = ()) -> None:
        for name in names:
            self.key("keydown", name, held)
            self.key("keyup", name, held)

    def downloaded(self, start: str) -> bytes:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = [p for p in self.downloads.iterdir() if p.name.startswith(start) and p.suffix == ".png"]
            if found:
                content = found[0].read_bytes()
                found[0].unlink()
                return content
            time.sleep(0.02)
        raise AssertionError(f"no {start}*.png was downloaded")

    def give(self, selector: str, path: Path) -> None:
        """Choose a file in an input."""
        from selenium.webdriver.common.by import By

        self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(str(path))


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).max() <= 1


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something has come true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def browser(folder: Path) -> Iterator[tuple[Any, Path]]:
    """A browser of its own with the folder of its downloads; skips the test where there is none."""
    webdriver: Any = pytest.importorskip("selenium.webdriver")
    program, runner = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or runner is None:
        pytest.skip("no chromium and chromedriver here")
    downloads = folder / "downloads"
    downloads.mkdir()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    flags = ["headless=new", "no-sandbox", "disable-gpu", "window-size=1280,800", "disable-background-networking"]
    flags += ["host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"user-data-dir={folder / 'profile'}"]
    for flag in flags:
        options.add_argument(f"--{flag}")
    several = "profile.default_content_setting_values.automatic_downloads"
    preferences = {"download.default_directory": str(downloads), several: 1}
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("prefs", preferences)
    driver = webdriver.Chrome(options, webdriver.ChromeService(runner))
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        yield driver, downloads
    finally:
        driver.quit()
