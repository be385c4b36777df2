"""`i2i models` prints what was counted."""

from __future__ import annotations

import pytest

from i2i.cli import main
from i2i.families import FAMILIES


def test_one_line_for_each_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len({len(line[: line.index("-c configs/")]) for line in lines[1 : len(FAMILIES) + 1]}) == 1  # aligned
    for family, line in zip(FAMILIES, lines[1:], strict=False):
        sizes = family.sizes()
        assert line.startswith(family.name) and family.data in line
        assert line.endswith(" ".join(f"-c {path}" for path in family.configs))
        assert f" {sizes.generator / 1e6:.1f} " in line and f" {int(sizes.multiply_accumulates) / 1e9:.1f} " in line


def test_another_size_is_told_or_refused_family_by_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--size", "96", "160", "--classes", "12"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert all("96 x 160" in line for line in lines[1 : len(FAMILIES) + 1])
    assert "SPADE, 6 up-samplings: the label map is 96 x 160; with 6 up-samplings height and width" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--size", "101", "101"], "no family makes such photos; the label map is 101 x 101"),
        (["--size", "0", "64"], "--size is 0 64"),
        (["--size", "64"], "--size"),
        (["--classes", "0"], "--classes is 0"),
        (["--clases", "3"], "--clases"),
    ],
)
def test_bad_input_is_one_line(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *flags]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("i2i: error:") and message in line
