"""A sheet shows every picture, unscaled where it fits, and all of each title."""

from __future__ import annotations

import numpy as np
from PIL import ImageFont

from i2i.pictures import Pixels
from i2i.sheet import Band, banded_sheet


def plain(height: int, width: int, colour: tuple[int, int, int]) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def pixels_of(sheet: Pixels, colour: tuple[int, int, int]) -> int:
    return int((sheet == np.array(colour)).all(-1).sum())


def test_pictures_that_fit_are_shown_pixel_by_pixel() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 100, 120, 3)).astype(np.uint8)
    sheet = banded_sheet([Band("one", [noise[0]], ["a"]), Band("two", [None, noise[1]], ["", "b"])])
    for picture in noise:
        found = [
            (y, x)
            for y, x in zip(*np.nonzero((sheet == picture[0, 0]).all(-1)), strict=True)
            if np.array_equal(sheet[y : y + 100, x : x + 120], picture)
        ]
        assert len(found) == 1


def test_small_pictures_are_enlarged_by_whole_numbers_and_large_ones_shrunk() -> None:
    red, blue = (200, 10, 10), (10, 10, 200)
    assert pixels_of(banded_sheet([Band("", [plain(8, 8, red)], [""])], smallest=96), red) == 96**2
    assert pixels_of(banded_sheet([Band("", [plain(28, 28, red)], [""])], smallest=96), red) == 84**2
    assert pixels_of(banded_sheet([Band("", [plain(300, 600, blue)], [""])], largest=256), blue) == 128 * 256


def test_a_title_is_never_cut_off() -> None:
    title = "a title that is much longer than its only picture is wide " * 3
    sheet = banded_sheet([Band(title, [plain(64, 64, (9, 9, 9))], [""])])
    assert sheet.shape[1] >= ImageFont.load_default(12).getlength(title)
    assert (sheet[:, -4:] == 255).all() and (sheet[:, -40:-4] < 128).any()
