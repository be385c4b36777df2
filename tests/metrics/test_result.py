from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from i2i.errors import InputError
from i2i.metrics.result import Result, read_results, write_results

FID = Result("FID", 63.1249, {"resize": "bicubic", "photos": 500}, "lower")
IOU = Result("mIoU", 38.456, {}, "higher", "%", parts={"sky": 90.5, "void": math.nan})
KID = Result("KID", 0.01234, {}, "lower", deviation=0.0021)


def test_results_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, [FID, IOU, KID], {"model": "a.ckpt"})
    results, about = read_results(path)
    assert about == {"model": "a.ckpt"}
    assert (results[0], results[2]) == (FID, KID)
    assert results[1].parts["sky"] == 90.5 and math.isnan(results[1].parts["void"])


def test_the_file_is_json_as_others_read_it(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, [IOU, Result("PSNR", math.inf, unit="dB")], {})
    strict = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert strict["results"][0]["parts"]["void"] is None
    assert strict["results"][1]["value"] is None


def test_figures_read_well() -> None:
    assert str(FID) == "FID 63.12"
    assert str(IOU) == "mIoU 38.46 %"
    assert str(KID) == "KID 0.0123 ± 0.0021"


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(InputError, match="no such file of results"):
        read_results(path)
    for text in ("{", "[]", '{"format": 1}', '{"format": 1, "about": {}, "results": [{}]}'):
        path.write_text(text)
        with pytest.raises(InputError, match="not a file of results"):
            read_results(path)
    path.write_text('{"format": 9, "about": {}, "results": []}')
    with pytest.raises(InputError, match="format 9; this version reads 1"):
        read_results(path)
