"""Curves of the training log as SVG, each with a text that says what healthy looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from i2i.report.healthy import GROUPS, Group, verdict
from i2i.report.log import Curve

_WIDTH, _HEIGHT = 360, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 8, 22
KINDS = ("one", "two", "three", "four", "five", "six")
"""The colours of curves; a chart has at most as many."""

_MOST = 400  # points of a line; more cannot be told apart


class _Scale(NamedTuple):
    low: float
    high: float
    first: int
    last: int

    def x(self, step: float) -> float:
        share = (step - self.first) / max(self.last - self.first, 1)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def training_curves(log: Mapping[str, Curve]) -> str:
    """All charts of a run; what the groups do not know has charts of its own, without a text."""
    known = {name for group in GROUPS for name in group.names}
    rest = [name for name in sorted(log) if name not in known and name != "images_per_second"]
    others = [Group(name.replace("/", ": ").replace("_", " "), (name,), "") for name in rest]
    groups = [group for group in (*GROUPS, *others) if any(name in log for name in group.names)]
    cards = "".join(_card(group, log) for group in groups)
    return cards and f'<div class="charts">{cards}</div>'


def _card(group: Group, log: Mapping[str, Curve]) -> str:
    there = [name for name in group.names if name in log]
    said = verdict(group, [log[name] for name in there])
    return (
        f'<div class="chart"><h3>{escape(group.title)}</h3>{chart([log[name] for name in there], group.band)}'
        f"{key([name.split('/')[-1].replace('_', ' ') for name in there])}"
        + (f'<p class="small">{escape(group.healthy)}</p>' if group.healthy else "")
        + (f'<p class="small"><b>Here:</b> {escape(said)}</p>' if said else "")
        + "</div>"
    )


def chart(curves: Sequence[Curve], band: tuple[float, float] | None = None) -> str:
    """Some curves over the steps: the values faint, a running mean over them.

    Args:
        curves: one to six; none is empty.
        band: shares between which it is healthy, shaded; the axis then is from 0 to 1.
    """
    scale = _scale(curves, band)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    if band is not None:
        top, bottom = scale.y(band[1]), scale.y(band[0])
        width = _WIDTH - _LEFT - _RIGHT
        parts.append(
            f'<rect class="band" x="{_LEFT}" y="{top:.1f}" width="{width}" height="{bottom - top:.1f}"></rect>'
        )
    for value in (scale.low, (scale.low + scale.high) / 2, scale.high):
        y = scale.y(value)
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"></line>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 5}">step {scale.first}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">{scale.last}</text>')
    for kind, curve in zip(KINDS, curves, strict=False):
        if len(curve.steps) < 3:
            parts += [
                f'<circle class="{kind}" cx="{scale.x(s):.1f}" cy="{scale.y(v):.1f}" r="2.6"></circle>'
                for s, v in zip(*curve, strict=True)
            ]
        smooth = running_mean(curve.values)
        if smooth != curve.values:
            parts.append(f'<polyline class="raw {kind}" points="{_points(curve, scale)}"></polyline>')
        parts.append(f'<polyline class="line {kind}" points="{_points(Curve(curve.steps, smooth), scale)}"></polyline>')
    return "".join([*parts, "</svg>"])


def running_mean(values: Sequence[float]) -> list[float]:
    """The mean over a window of a twentieth of the values on each side; few values stay as they are."""
    reach = len(values) // 20 if len(values) >= 20 else 0
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    bounds = [(max(0, i - reach), min(len(values), i + reach + 1)) for i in range(len(values))]
    return [(sums[b] - sums[a]) / (b - a) for a, b in bounds] if reach else list(values)


def _scale(curves: Sequence[Curve], band: tuple[float, float] | None) -> _Scale:
    values = sorted(value for curve in curves for value in curve.values)
    # One explosion at the start shall not press the rest to a line.
    trim = len(values) // 100
    low, high = values[trim], values[len(values) - 1 - trim]
    if band is not None:
        low, high = min(low, 0.0), max(high, 1.0)
    if high - low < 1e-9 * max(abs(high), 1e-12):
        size = max(abs(low), abs(high))
        reach = 0.1 * (size if size > 1e-300 else 1)  # a tenth of a smaller one is nothing
        low, high = low - reach, high + reach
    return _Scale(low, high, min(c.steps[0] for c in curves), max(c.steps[-1] for c in curves))


def _points(curve: Curve, scale: _Scale) -> str:
    every = -(-len(curve.steps) // _MOST)
    chosen = sorted({*range(0, len(curve.steps), every), len(curve.steps) - 1})
    clipped = ((curve.steps[i], min(max(curve.values[i], scale.low), scale.high)) for i in chosen)
    return " ".join(f"{scale.x(step):.1f},{scale.y(value):.1f}" for step, value in clipped)


def key(names: Sequence[str]) -> str:
    """Which colour is which curve; nothing where there is one alone."""
    if len(names) < 2:
        return ""
    lines = (f'<span><i class="{kind}"></i>{escape(name)}</span>' for kind, name in zip(KINDS, names, strict=False))
    return f'<div class="key">{"".join(lines)}</div>'
