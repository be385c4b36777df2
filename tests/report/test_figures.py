from __future__ import annotations

import math
import re

from i2i.classes import ClassTable
from i2i.metrics.result import Result
from i2i.report.figures import class_bars, common_protocol, figure_table, key_figures

TABLE = ClassTable(["road", "<sky>", "car"], [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
ABOUT = {"split": "val", "judge": "a"}
PARTS = {"road": 30.0, "<sky>": 60.0, "car": math.nan}
MIOU = Result("mIoU", 45.0, ABOUT, "higher", "%", parts=PARTS)
REAL = Result("mIoU of the real photos", 80.0, parts={"road": 75.0, "<sky>": 85.0}, unit="%", of_real_photos=True)
FID = Result("FID", 31.4159, {"split": "val", "note": "few"}, "lower")


def test_a_bar_for_each_class_the_best_first() -> None:
    html = class_bars([FID, MIOU, REAL], TABLE)
    assert re.findall(r"width:([\d.]+)%", html) == ["60.00", "30.00"]
    assert re.findall(r"left:calc\(([\d.]+)%", html) == ["85.00", "75.00"]
    assert "<sky>" not in html and html.index("&lt;sky&gt;") < html.index("road")
    assert re.findall(r"rgb\([\d,]+\)", html) == ["rgb(4,5,6)", "rgb(1,2,3)"]
    assert "Nowhere in these maps and readings: car" in html
    assert class_bars([FID], TABLE) == ""


def test_the_table_shows_what_protocols_do_not_share() -> None:
    results = [MIOU, FID]
    common = common_protocol(results)
    assert common == {"split": "val"}
    html = figure_table([*results, REAL], common)
    assert '<td class="number">31.42</td>' in html and '<td class="number">45.00 %</td>' in html
    assert "80.00 %" in html and "of the real photos" not in html
    assert "<dt>judge</dt>" in html and "<dt>split</dt>" not in html
    assert html.count("few") == 2  # below the name, and in the protocol


def test_the_figures_that_are_looked_for_first() -> None:
    html = key_figures([MIOU, Result("density", 1.0), FID])
    assert html.index("31.42") < html.index("45.00 %") and "density" not in html
