"""The measured figures on a page: tiles, the table with each one's protocol, and bars of the classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from i2i.classes import ClassTable
from i2i.metrics.result import Result
from i2i.report.page import definitions, table, tiles

ARROWS = {"lower": "↓", "higher": "↑", None: ""}
_FIRST = ("FID", "KID", "mIoU", "pixel accuracy", "LPIPS", "LPIPS diversity", "SSIM", "style correlation")


def key_figures(results: Sequence[Result]) -> str:
    """Up to six of the figures that are asked for first."""
    by_name = {result.name: result for result in results}
    chosen = [by_name[name] for name in _FIRST if name in by_name][:6]
    return tiles((f"{r.name} {ARROWS[r.better]}", short(r)) for r in chosen)


def figure_table(results: Sequence[Result], common: Mapping[str, Any]) -> str:
    """A line for each figure, with what its protocol has beside the common one."""
    real = {r.name.removesuffix(" of the real photos"): r for r in results if r.of_real_photos}
    head = [("figure, by which protocol", ""), ("value", "number")]
    head += [("real photos", "number")] if real else []
    rows = []
    for r in results:
        if r.of_real_photos:
            continue
        own = {name: value for name, value in r.protocol.items() if common.get(name) != value}
        note = f'<div class="small soft">{escape(str(own["note"]))}</div>' if "note" in own else ""
        arrow = f' <span class="soft">{ARROWS[r.better]}</span>'
        name = escape(r.name) + arrow
        name = f"<details><summary>{name}</summary>{definitions(own)}</details>" if own else name
        row = [(name + note, ""), (escape(r.figure), "number")]
        if real:
            row.append((escape(real[r.name].figure) if r.name in real else "", "number soft"))
        rows.append(row)
    return table(head, rows)


def common_protocol(results: Sequence[Result]) -> dict[str, Any]:
    """What the protocols of all figures agree in."""
    if not results:
        return {}
    first = results[0].protocol
    return {name: value for name, value in first.items() if all(r.protocol.get(name) == value for r in results)}


def class_bars(results: Sequence[Result], classes: ClassTable | None) -> str:
    """A bar for the IoU of each class, the best first, with a mark where the real photos are."""
    measured = next((r for r in results if r.name == "mIoU"), None)
    if measured is None:
        return ""
    real = next((r for r in results if r.of_real_photos and r.name.startswith("mIoU")), None)
    colours = {} if classes is None else dict(zip(classes.names, classes.colours.tolist(), strict=True))
    there = {name: value for name, value in measured.parts.items() if not math.isnan(value)}
    lines = []
    for name, value in sorted(there.items(), key=lambda item: -item[1]):
        ceiling = math.nan if real is None else real.parts.get(name, math.nan)
        mark, beside = "", ""
        if not math.isnan(ceiling):
            place, said = f"left:calc({ceiling:.2f}% - 1px)", f"real photos {ceiling:.1f} %"
            mark = f'<span class="mark" style="{place}" title="{said}"></span>'
            beside = f' <span class="soft">/ {ceiling:.1f}</span>'
        lines.append(
            f"<div>{swatch(colours.get(name))}{escape(name)}</div>"
            f'<div class="track"><span class="fill" style="width:{value:.2f}%"></span>{mark}</div>'
            f'<div class="value">{value:.1f}{beside} %</div>'
        )
    absent = [name for name, value in measured.parts.items() if math.isnan(value)]
    note = (
        f'<p class="small soft">Nowhere in these maps and readings: {escape(", ".join(absent))}.</p>' if absent else ""
    )
    left_out = measured.protocol.get("ignored classes") or []
    note += f'<p class="small soft">Left out: {escape(", ".join(left_out))}.</p>' if left_out else ""
    legend = "Intersection over union of each class" + (
        "; the mark is what the same judge reaches on the real photos, about as much as can be expected of any model."
        if real
        else "."
    )
    return f'<p class="soft">{legend}</p><div class="bars">{"".join(lines)}</div>{note}'


def swatch(colour: Sequence[int] | None) -> str:
    """A small square in the colour of a class."""
    if colour is None:
        return ""
    red, green, blue = colour
    return f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'


def short(result: Result) -> str:
    """The value with its unit alone."""
    return f"{result.figure.split(' ±')[0].split(' ')[0]}{result.unit and ' ' + result.unit}"
