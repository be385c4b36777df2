"""Several measured runs side by side: figures, curves, the same maps as each paints them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from i2i.checkpoint import write_atomically
from i2i.errors import InputError
from i2i.metrics.result import Result, read_results
from i2i.report.curves import KINDS, chart, key
from i2i.report.figures import ARROWS, short
from i2i.report.log import Curve, read_log
from i2i.report.page import paragraph, plain, table, write_page
from i2i.room import check_file, check_folder

_MOST_MAPS = 12


@dataclass(frozen=True)
class Measured:
    """A run that `i2i evaluate` has measured.

    Attributes:
        name: short, of its own among those that are compared.
        folder: of its report.
        results: its figures by name.
        about: what they were measured on.
        log: curves of its training by name; none where the log is elsewhere.
    """

    name: str
    folder: Path
    results: Mapping[str, Result]
    about: Mapping[str, Any]
    log: Mapping[str, Curve]

    def pictures(self, kind: str) -> dict[str, Path]:
        """The pictures of this kind that its report shows, by the names of their maps."""
        try:
            with (self.folder / "photos.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                names = [row["photo"] for row in csv.DictReader(file)]
        except (OSError, KeyError):
            return {}
        files = sorted((self.folder / "pictures").glob(f"*_{kind}.*"))
        return {names[i]: f for f in files if (i := int(f.name.split("_")[0])) < len(names)}


def read_runs(paths: Sequence[Path]) -> list[Measured]:
    """Read what was measured.

    Args:
        paths: folders of runs, of reports, or files ``results.json``.

    Raises:
        InputError: fewer than two, too many, or one that was not measured.
    """
    if not 2 <= len(paths) <= len(KINDS):
        raise InputError(f"{len(paths)} runs are given; 2 to {len(KINDS)} can be compared")
    files = [_results_file(path) for path in paths]
    if len(set(files)) < len(files):
        twice = next(path for path, file in zip(paths, files, strict=True) if files.count(file) > 1)
        raise InputError(f"{twice} is given more than once")
    names = _names(files)
    runs = []
    for name, file in zip(names, files, strict=True):
        results, about = read_results(file)
        run = file.parent.parent
        runs.append(Measured(name, file.parent, {r.name: r for r in results}, about, read_log(run)))
    return runs


def differences(runs: Sequence[Measured], figure: str) -> list[str]:
    """By which entries of their protocols the figures of the runs differ, and so cannot be compared."""
    protocols = [run.results[figure].protocol for run in runs if figure in run.results]
    names = dict.fromkeys(name for protocol in protocols for name in protocol)
    return [name for name in names if any(p.get(name) != protocols[0].get(name) for p in protocols)]


def best(runs: Sequence[Measured], figure: str) -> list[bool]:
    """Which run is the best by a figure; none where protocols differ, or fewer than two have it."""
    found = [run.results.get(figure) for run in runs]
    values = [math.nan if r is None else r.value for r in found]
    there = [value for value in values if not math.isnan(value)]
    better = next((r.better for r in found if r is not None), None)
    if len(there) < 2 or better is None or differences(runs, figure) or max(there) == min(there):
        return [False] * len(runs)
    top = max(there) if better == "higher" else min(there)
    return [value == top for value in values]


def text_table(runs: Sequence[Measured]) -> str:
    """The figures for a terminal; the best has a star, what cannot be compared a question mark."""
    rows = [["", *(run.name for run in runs)]]
    for figure in figures_of(runs):
        marks = ["*" if one else "?" if differences(runs, figure) else " " for one in best(runs, figure)]
        values = [short(run.results[figure]) if figure in run.results else "-" for run in runs]
        rows.append([_with_arrow(runs, figure), *(f"{v} {m}" for v, m in zip(values, marks, strict=True))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)


def check_place(page: Path) -> None:
    """Raise :class:`InputError` where the page, or its pictures beside it, cannot be written."""
    check_file(page)
    check_folder(_picture_folder(page))


def write_comparison(page: Path, runs: Sequence[Measured]) -> None:
    """Write the page, and the pictures that it shows into a folder of its name beside it."""
    about = [("", ""), *((escape(run.name), "") for run in runs)]
    names = dict.fromkeys(name for run in runs for name in run.about if name != "left out")
    told = [name for name in names if any(run.about.get(name) != runs[0].about.get(name) for run in runs)]
    rows = [[(escape(n), "soft"), *((escape(plain(run.about.get(n, "–"))), "") for run in runs)] for n in told]
    sections = [
        ("figures", "Figures", _figure_table(runs)),
        ("classes", "Classes", _class_table(runs)),
        ("curves", "Training", _curves(runs)),
        ("pictures", "Pictures", _pictures(page, runs)),
        ("protocol", "What differs", table(about, rows) if rows else paragraph("Nothing but the names.")),
    ]
    lead = paragraph("The best of each line is marked where all were measured alike.", "soft")
    write_page(page, " · ".join(run.name for run in runs), lead, sections)


def figures_of(runs: Sequence[Measured]) -> list[str]:
    """The names of all figures, those of real photos left out."""
    return list(dict.fromkeys(name for run in runs for name, r in run.results.items() if not r.of_real_photos))


def _figure_table(runs: Sequence[Measured]) -> str:
    rows = []
    for figure in figures_of(runs):
        differing = differences(runs, figure)
        note = f"not comparable, differing in: {', '.join(differing)}" if differing else ""
        note = f'<div class="small soft">{escape(note)}</div>' if note else ""
        row = [(escape(_with_arrow(runs, figure)) + note, "")]
        for run, top in zip(runs, best(runs, figure), strict=True):
            value = escape(run.results[figure].figure) if figure in run.results else "–"
            row.append((value, "number best" if top else "number"))
        rows.append(row)
    return table([("figure", ""), *((escape(run.name), "number") for run in runs)], rows)


def _class_table(runs: Sequence[Measured]) -> str:
    measured = [run.results.get("mIoU") for run in runs]
    names = dict.fromkeys(name for result in measured if result is not None for name in result.parts)
    alike = not differences(runs, "mIoU")
    rows = []
    for name in names:
        values = [math.nan if r is None else r.parts.get(name, math.nan) for r in measured]
        there = [value for value in values if not math.isnan(value)]
        top = max(there) if alike and len(there) > 1 and max(there) > min(there) else math.inf
        cells = [("–" if math.isnan(v) else f"{v:.1f} %", "number best" if v == top else "number") for v in values]
        rows.append([(escape(name), ""), *cells])
    return table([("IoU", ""), *((escape(run.name), "number") for run in runs)], rows) if rows else ""


def _curves(runs: Sequence[Measured]) -> str:
    """A chart for each value that more than one run has logged."""
    names = dict.fromkeys(name for run in runs for name in sorted(run.log))
    names = {n: None for n in names if n != "images_per_second" and not n.startswith("learning_rate")}
    shared = [name for name in names if all(name in run.log for run in runs)]
    shared.sort(key=lambda name: (not name.startswith("validation"), name))
    labels = key([run.name for run in runs])
    cards = "".join(
        f'<div class="chart"><h3>{escape(name.replace("/", ": ").replace("_", " "))}</h3>'
        f"{chart([run.log[name] for run in runs])}{labels}</div>"
        for name in shared
    )
    return cards and f'<div class="charts">{cards}</div>'


def _pictures(page: Path, runs: Sequence[Measured]) -> str:
    """The maps that all reports show, as each run paints them; copied, so that the page does not need the reports."""
    painted = [run.pictures("photo") for run in runs]
    maps, real = runs[0].pictures("map"), runs[0].pictures("real")
    shared = [name for name in maps if all(name in of_run for of_run in painted)]
    if not shared:
        return ""
    spread = np.linspace(0, len(shared) - 1, min(_MOST_MAPS, len(shared))).round().astype(int)
    shared = [shared[index] for index in spread]
    folder = _picture_folder(page)
    heads = ["map", *(run.name for run in runs), *(["real"] if real else [])]
    html = _row([f"<div>{escape(head)}</div>" for head in heads], "row heads")
    for number, name in enumerate(shared):
        files = [maps[name], *(of_run[name] for of_run in painted), *([real[name]] if name in real else [])]
        cells = []
        for column, file in enumerate(files):
            copy = folder / f"{number:02d}_{column}{file.suffix}"
            _copy(file, copy)
            source = escape(f"{folder.name}/{copy.name}")
            cells.append(f'<a href="{source}"><img src="{source}" alt="{escape(heads[column])}" loading="lazy"></a>')
        html += _row(cells) + f'<p class="caption">{escape(name)}</p>'
    return html


def _picture_folder(page: Path) -> Path:
    return page.with_name(f"{page.stem}_pictures")


def _copy(file: Path, copy: Path) -> None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    write_atomically(copy, lambda out: out.write(content))


def _row(cells: Sequence[str], kind: str = "row") -> str:
    return f'<div class="{kind}" style="grid-template-columns:repeat({len(cells)},1fr)">{"".join(cells)}</div>'


def _with_arrow(runs: Sequence[Measured], figure: str) -> str:
    better = next(run.results[figure].better for run in runs if figure in run.results)
    return f"{figure} {ARROWS[better]}"


def _results_file(path: Path) -> Path:
    candidates = [path, path / "results.json", path / "report/results.json"]
    found = next((one for one in candidates if one.is_file()), None)
    if found is None:
        raise InputError(f"{path}: nothing was measured there (no results.json); run i2i evaluate first")
    return found.resolve()


def _names(files: Sequence[Path]) -> list[str]:
    """The folder of the run, or as many folders above it as tell them apart."""
    paths = [f.parent.parent if f.parent.name == "report" else f.parent for f in files]
    if len(set(paths)) < len(paths):
        paths = [f.parent for f in files]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(file) for file in files]
