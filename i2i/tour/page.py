"""The page of the tour: what each station added, its loss, its pictures, its figures."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from i2i.pictures import Pixels
from i2i.report.curves import chart, key
from i2i.report.log import read_log
from i2i.report.page import definitions, paragraph, table, tiles, write_page
from i2i.tour.journal import Journal
from i2i.tour.station import Exhibit, Log, Plot, Shown, Station, Training

_ENLARGED = 2  # the size at which small pictures are shown, if there is room


def write_tour(path: Path, journal: Journal, road: Sequence[Station]) -> None:
    """Write the page, with all that it shows in it.

    Args:
        path: the file.
        journal: of the tour.
        road: all stations; those that are not trained yet are left out.
    """
    walked = [station for station in road if all(journal.done(training.name) for training in station.trainings)]
    logs = {t.name: read_log(journal.run(t.name)) for station in walked for t in station.trainings}
    waiting = [station.title for station in road if station not in walked]
    still = f'<p class="note">Not walked yet: {escape("; ".join(waiting))}.</p>' if waiting else ""
    sections = [("road", "The road", _overview(walked, road, logs, journal))]
    for station in walked:
        number = road.index(station) + 1
        sections.append((station.name, f"{number} · {station.title}", _station(station, logs, journal)))
    sections.append(("onwards", "Onwards", _ONWARDS))
    write_page(path, "From the first GAN to SPADE", _LEAD + still, sections)


def command_of(training: Training) -> str:
    """What does the same training in a shell; in a folder of its own where the configuration's is another's."""
    own = ["--run", f"runs/{training.name}"] if training.flags else []
    return shlex.join(["i2i", "fit", "-c", f"configs/{training.config}", *own, *training.flags])


def _overview(walked: Sequence[Station], road: Sequence[Station], logs: Mapping[str, Log], journal: Journal) -> str:
    rows = []
    for station in walked:
        figure, last = station.figures[0], station.trainings[-1]
        seconds = sum(journal.seconds(training.name) for training in station.trainings)
        link = f'<a href="#{station.name}">{escape(station.title)}</a>'
        value = f"{escape(figure.name)} {figure.written(logs[last.name])}"
        number = str(road.index(station) + 1)
        rows.append(
            [(number, "number"), (link, ""), (escape(station.short), ""), (value, ""), (_time(seconds), "number")]
        )
    head = [("", ""), ("Station", ""), ("What it adds", ""), ("Measured here", ""), ("Trained in", "number")]
    return _WORDS + table(head, rows)


def _station(station: Station, logs: Mapping[str, Log], journal: Journal) -> str:
    runs = {training.name: journal.run(training.name) for training in station.trainings}
    aside = f"<h3>The loss</h3>{_formulas(station.loss)}<h3>What to look at</h3>{station.look}"
    parts = [f'<div class="told"><div>{station.idea}</div><aside>{aside}</aside></div>']
    parts += [_exhibit(exhibit, runs) for exhibit in station.exhibits]
    parts += [_figures(station, logs, journal), _plots(station.plots, logs)]
    parts.append(station.left and f"<h3>What is still wrong</h3>{station.left}")
    commands = definitions({training.label: command_of(training) for training in station.trainings})
    parts.append(f'<details class="small"><summary>Train it yourself</summary>{commands}</details>')
    return "\n".join(part for part in parts if part)


def _formulas(loss: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"<dt>{escape(who)}</dt><dd>{formula}</dd>" for who, formula in loss)
    return f'<dl class="formula">{lines}</dl>'


def _exhibit(exhibit: Exhibit, runs: Mapping[str, Path]) -> str:
    shown = exhibit.make(runs)
    columns = 1 if any(_is_wide(one.picture) for one in shown) else len(shown)
    kind = "film several" if columns > 1 else "film"
    widest = _ENLARGED * max((one.picture.shape[1] for one in shown), default=1)
    figures = "".join(_figure(one) for one in shown)
    return (
        f"<h3>{escape(exhibit.title)}</h3>{paragraph(exhibit.text, 'soft')}"
        f'<div class="{kind}" style="--columns:{columns};--widest:{widest}px">{figures}</div>'
    )


def _is_wide(picture: Pixels) -> bool:
    height, width = picture.shape[:2]
    return int(width) > 2 * int(height)


def _figure(shown: Shown) -> str:
    memory = io.BytesIO()
    Image.fromarray(shown.picture).save(memory, format="PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(memory.getvalue()).decode()}"
    height, width = shown.picture.shape[:2]
    kind = ' class="map"' if shown.sharp else ""
    return (
        f"<figure><figcaption>{escape(shown.caption)}</figcaption>"
        f'<img{kind} src="{source}" width="{width}" height="{height}" style="max-width:{_ENLARGED * width}px" '
        f'alt="{escape(shown.caption)}"></figure>'
    )


def _figures(station: Station, logs: Mapping[str, Log], journal: Journal) -> str:
    there = [f for f in station.figures if any(f.of(logs[t.name]) is not None for t in station.trainings)]
    if len(station.trainings) == 1:
        (only,) = station.trainings
        pairs = [(figure.name, figure.written(logs[only.name])) for figure in there]
        return f"<h3>Measured</h3>{tiles([*pairs, ('trained in', _time(journal.seconds(only.name)))])}"
    head = [("", ""), *((escape(f.name), "number") for f in there), ("trained in", "number")]
    rows = [
        [
            (escape(training.label), ""),
            *((figure.written(logs[training.name]), "number") for figure in there),
            (_time(journal.seconds(training.name)), "number"),
        ]
        for training in station.trainings
    ]
    return f"<h3>Measured</h3>{table(head, rows)}"


def _plots(plots: Sequence[Plot], logs: Mapping[str, Log]) -> str:
    cards = []
    for plot in plots:
        there = [(logs[run][name], label) for run, name, label in plot.curves if name in logs[run]]
        if there:
            cards.append(
                f'<div class="chart"><h3>{escape(plot.title)}</h3>{chart([curve for curve, _ in there], plot.band)}'
                f'{key([label for _, label in there])}<p class="small">{escape(plot.text)}</p></div>'
            )
    return f'<div class="charts">{"".join(cards)}</div>' if cards else ""


def _time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


_LEAD = (
    '<p class="lead">A generator learns to make what nobody can describe by a formula: digits, photographs, landscapes '
    "from a painted map. This page walks from the first network that did it to SPADE, one idea at a time. Everything "
    "on it, every picture and every number, was trained and measured here, by the same code and the same commands "
    "that train the large models.</p>"
)
_WORDS = (
    "<p><b>Words and letters.</b> The <b>generator</b> <i>G</i> makes a sample from a <b>latent vector</b> <i>z</i>, "
    "numbers drawn at random. The <b>discriminator</b> <i>D</i>, which is called critic where its output is no "
    "probability, judges samples; it sees the data <i>x</i> and what is made, and is thrown away at the end. "
    "<b>E</b>[·] is the mean over samples. The <b>energy distance</b> tells how far two "
    "clouds of samples are from each other: 0 where they are spread alike.</p>"
)
_ONWARDS = (
    "<p>SPADE at work is <i>i2i demo</i>: paint a map, and see its photograph as you paint. <i>i2i models</i> lists "
    "the families that grew from here (pix2pixHD, SPADE, OASIS, SEAN), and the configurations that train them on "
    "Cityscapes, ADE20K, COCO-Stuff, or on your own folder of pairs. <i>i2i evaluate</i> measures them with the "
    "figures of the literature.</p>"
    "<p>Each station is an ordinary run: its folder in <i>runs</i> beside this page has its log, its previews, its "
    "configuration and its checkpoint, from which it can be continued, changed or looked at: <i>i2i latents "
    "runs/dcgan_digits/checkpoints/last.ckpt OUT</i>.</p>"
)
