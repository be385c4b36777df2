"""The log stays one file, whole and without gaps, wherever a run was killed."""

from __future__ import annotations

import csv
from pathlib import Path

from i2i.callbacks.run_log import RunLog


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def written(folder: Path, steps: range, keep: int | None = None) -> tuple[RunLog, Path]:
    log = RunLog(folder, keep)
    for step in steps:
        log.log_metrics({"loss": step / 8} | ({"validation/l1": 1.0} if step % 3 == 2 else {}), step)
    return log, folder / f"logs/version_{log.version}/metrics.csv"


def test_a_continued_log_is_that_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole, expected = written(tmp_path / "whole", range(10))
    assert whole.flush() == 10
    log, path = written(tmp_path / "run", range(4))
    kept = log.flush()
    written(tmp_path / "run", range(4, 8), kept)[0].flush()  # killed after this, continued from row 4
    with path.open("a") as file:
        file.write("0.5,7")  # half a row
    log, again = written(tmp_path / "run", range(4, 10), kept)
    assert log.flush() == 10 and again == path
    assert path.read_bytes() == expected.read_bytes()


def test_rows_are_counted_while_columns_are_added(tmp_path: Path) -> None:
    log, path = written(tmp_path, range(2))
    assert log.flush() == 2 and list(rows(path)[0]) == ["loss", "step"]
    log.log_metrics({"new": 1.0}, 2)
    assert log.flush() == 3
    assert [row["loss"] for row in rows(path)] == ["0.0", "0.125", ""] and rows(path)[2]["new"] == "1.0"


def test_another_run_gets_another_file_and_none_is_kept_where_nothing_was_saved(tmp_path: Path) -> None:
    written(tmp_path, range(3))[0].flush()
    log, other = written(tmp_path, range(2))
    log.flush()
    assert other.parent.name == "version_1" and len(rows(tmp_path / "logs/version_0/metrics.csv")) == 3
    log, same = written(tmp_path, range(1), keep=0)  # killed before its first checkpoint
    assert log.flush() == 1 and same == other and len(rows(other)) == 1
