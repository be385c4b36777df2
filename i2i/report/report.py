"""The report of `i2i evaluate`: protocol, figures, curves of the training, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from i2i.evaluation.evaluation import Evaluation
from i2i.evaluation.watch import artefact_warnings
from i2i.metrics.result import Result
from i2i.report.curves import training_curves
from i2i.report.figures import class_bars, common_protocol, figure_table, key_figures
from i2i.report.gallery import Gallery
from i2i.report.latents import latent_space
from i2i.report.log import read_log, run_folder
from i2i.report.page import definitions, paragraph, write_page


def write_report(
    folder: Path,
    model: Path,
    evaluation: Evaluation,
    results: Sequence[Result],
    about: Mapping[str, Any],
    each: Mapping[str, Mapping[str, float]],
) -> Path:
    """Write ``index.html`` and ``pictures/``.

    Args:
        folder: where to.
        model: the file that was measured; its run's log is shown.
        evaluation: that was run.
        results: its figures.
        about: what they were measured on.
        each: the figures of each picture, by name.

    Returns:
        The page.
    """
    run = run_folder(model)
    log = {} if run is None else read_log(run)
    gallery = Gallery(folder, evaluation, each)
    common = common_protocol(results)
    lead = f"{about['data']}, split {about['split']}, {about['photos']} maps at {about['size']}"
    left_out = about.get("left out") or {}
    reasons = {reason: ", ".join(n for n, r in left_out.items() if r == reason) for reason in left_out.values()}
    missing = "".join(f'<p class="small soft">Without {escape(n)}: {escape(r)}.</p>' for r, n in reasons.items())
    curves = training_curves(log)
    rows = gallery.rows()
    warnings = "".join(f'<p class="note">{escape(line)}</p>' for line in artefact_warnings(results))
    sections = [
        ("figures", "Figures", warnings + figure_table(results, common) + missing),
        ("classes", "Classes", class_bars(results, gallery.classes)),
        ("gallery", "Gallery", rows),
        ("extremes", "Worst and best", gallery.extremes()),
        ("samples", "Several pictures a map", gallery.several()),
        ("latents", "Latent space", latent_space(gallery)),
        ("training", "Training", curves and paragraph(_CURVES, "soft") + curves),
        (
            "protocol",
            "Protocol",
            paragraph(_PROTOCOL, "soft") + definitions({**about, **common} | {"left out": list(left_out)}),
        ),
    ]
    title = f"{model.name}" if run is None else f"{run.name} · {model.name}"
    page = folder / "index.html"
    write_page(page, title, paragraph(lead, "soft") + key_figures(results), sections)
    return page


_CURVES = (
    "From the log of the run: values as they were logged, faint, and their running mean. Losses are unweighted. Losses "
    "of adversarial training do not tell how good the pictures are; they tell whether the two networks are in balance."
)
_PROTOCOL = "Figures compare with others only where all of this, and the protocol of each figure, is equal."
