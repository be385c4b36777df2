"""Screenshots of the painting page: dark and light at 1280 x 720, and on a phone. Needs Chromium and its driver.

python scripts/demo_pictures.py runs/quickstart/checkpoints/last.ckpt datasets/scenes
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

SCREENS = {
    "demo-dark": (1280, 720, "dark", False),
    "demo-light": (1280, 720, "light", False),
    "demo-phone": (390, 844, "dark", True),
}


def main() -> None:
    """Write demo-dark.png, demo-light.png and demo-phone.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with serving(options.model) as address:
        for name, (width, height, scheme, phone) in SCREENS.items():
            with browser(width, height, scheme, phone) as driver:
                driver.get(address)
                settled(driver)
                paint(driver)
                settled(driver)
                driver.save_screenshot(str(options.out / f"{name}.png"))


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """`i2i demo`, and its address."""
    command = [sys.executable, "-m", "i2i", "demo", str(model), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[2]
        finally:
            server.terminate()


@contextmanager
def browser(width: int, height: int, scheme: str, phone: bool) -> Iterator[webdriver.Chrome]:
    """Chromium without a window, of this size in CSS pixels."""
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        yield driver
    finally:
        driver.quit()


def settled(driver: webdriver.Chrome) -> None:
    """Wait for the picture, and for the samples where some are drawn."""
    picture = "document.querySelector('#picture').dataset.settled === 'true'"
    samples = "document.querySelectorAll('#samples .late').length === 0"
    WebDriverWait(driver, 60).until(lambda d: d.execute_script(f"return {picture} && {samples}"))


def paint(driver: webdriver.Chrome) -> None:
    """A tree, a second mood halfway, four samples."""
    choose = "[...document.querySelectorAll('#palette button')].find(b => b.ariaLabel === arguments[0])?.click()"
    driver.execute_script(choose, "tree")
    line(driver, [(0.17, 0.54), (0.2, 0.46), (0.26, 0.47), (0.26, 0.54), (0.21, 0.52)])
    driver.execute_script(choose, "cloud")
    for button in ("#well-to", "#gallery .tile:nth-child(2)", "#draw"):
        driver.execute_script("document.querySelector(arguments[0])?.click()", button)
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 1, "y": 1})


def line(driver: webdriver.Chrome, points: list[tuple[float, float]]) -> None:
    """A stroke through these points, in shares of the map's width and height."""
    box = driver.execute_script("return document.querySelector('#map').getBoundingClientRect().toJSON()")
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
    for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
        event = {"type": kind, "x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        driver.execute_cdp_cmd("Input.dispatchMouseEvent", event | {"button": "left", "clickCount": 1})


if __name__ == "__main__":
    main()
