"""`i2i compare RUN…`: what `i2i evaluate` measured, side by side, as a table and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2i.commands.arguments import Parser
from i2i.report.compare import check_place, differences, figures_of, read_runs, text_table, write_comparison


def run(arguments: Sequence[str]) -> int:
    """Print the table, write the page."""
    options = _parser().parse_args(arguments[1:])
    check_place(options.out)
    runs = read_runs(options.runs)
    print(text_table(runs))
    if any(differences(runs, figure) for figure in figures_of(runs)):
        print("? marks figures of different protocols, which cannot be compared; the page says what differs")
    write_comparison(options.out, runs)
    print(f"wrote {options.out}")
    return 0


def _parser() -> Parser:
    parser = Parser("i2i compare", description="Runs that i2i evaluate has measured, side by side.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run's folder, a report's, or results.json")
    parser.add_argument("--out", type=Path, default=Path("compare.html"), help="the page (default compare.html)")
    return parser
