"""What is where: a landscape as numbers in scene coordinates, drawn at random, before any pixel exists.

The picture plane has y from 0 (top) to 1 (bottom) and x from 0 in the middle, in the same unit. The ground is a plane:
at ``nearness`` s a thing of size 1 appears s high; its foot is at y = horizon + s * (1 - horizon).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

KINDS = ("coast", "lake", "river", "road", "village", "meadow", "mountains", "desert")
_REACH = 1.15  # things stand at |x| up to this, so pictures may be up to 2.3 times as wide as high


@dataclass(frozen=True)
class Cloud:
    """A heap of round puffs on a flat base at (x, y)."""

    x: float
    y: float
    width: float
    seed: int


@dataclass(frozen=True)
class Ridge:
    """A silhouette that rises above the horizon: a chain of mountains, of hills, or a swell of the ground itself."""

    kind: str  # "mountain", "hill" or "ground"
    height: float
    distance: float  # for the haze
    seed: int


@dataclass(frozen=True)
class Thing:
    """Something that stands on the ground, foot at (x, nearness)."""

    kind: str  # "broadleaf", "conifer", "bush", "rock", "house", "boat"
    x: float
    nearness: float
    size: float  # height in the picture is size * nearness
    seed: int


@dataclass(frozen=True)
class Shore:
    """Where the water is: ``line`` (beyond it), ``oval`` (inside), or ``stream`` (along a winding line)."""

    form: str
    place: tuple[float, float, float, float]  # what they mean is up to the form: see ground.py
    beach: float
    seed: int


@dataclass(frozen=True)
class Road:
    """A winding road.

    At nearness s its middle is at x = s * (start + sway * sin(3 * turn / (s + 0.2) + phase)) + (1 - s) * goal.
    """

    start: float
    goal: float
    sway: float
    turn: float
    phase: float
    half_width: float


@dataclass(frozen=True)
class Layout:
    """A whole landscape."""

    kind: str
    horizon: float
    sun: tuple[float, float, float]  # x, y, radius; x beyond the frame in some pictures
    base: str  # the ground: "grass" or "sand"
    seed: int
    clouds: list[Cloud] = field(default_factory=list)
    ridges: list[Ridge] = field(default_factory=list)  # from far to near
    shore: Shore | None = None
    road: Road | None = None
    flowers: float | None = None  # how much of the meadow is in bloom: -1 (hardly any) to 1 (most)
    candidates: list[Thing] = field(default_factory=list)  # what would stand where the ground allows; far to near

    @property
    def light(self) -> float:
        """From which side the direct light comes: -1 (left) to 1 (right), never quite from ahead."""
        strength = min(max(abs(self.sun[0]) * 1.8, 0.45), 1.0)
        return math.copysign(strength, self.sun[0])


def draw_layout(rng: np.random.Generator) -> Layout:
    """A landscape at random."""
    kind = str(rng.choice(KINDS, p=[0.17, 0.14, 0.09, 0.16, 0.17, 0.1, 0.1, 0.07]))
    horizon = float(rng.uniform(0.36, 0.5))
    side = float(rng.choice([-1, 1]))
    sun_x = side * rng.uniform(0.08, 0.44) if rng.random() < 0.75 else side * rng.uniform(0.75, 1.2)
    sun = (float(sun_x), float(rng.uniform(0.09, horizon * 0.48)), float(rng.uniform(0.045, 0.065)))
    shore = _draw_shore(kind, rng)
    return Layout(
        kind=kind,
        horizon=horizon,
        sun=sun,
        base="sand" if kind == "desert" or (kind == "coast" and rng.random() < 0.3) else "grass",
        seed=int(rng.integers(1000)),
        clouds=_draw_clouds(horizon, sun, rng),
        ridges=_draw_ridges(kind, rng),
        shore=shore,
        road=_draw_road(kind, rng) if shore is None else None,
        flowers=_draw_flowers(kind, rng),
        candidates=_draw_things(kind, shore, rng),
    )


def _draw_clouds(horizon: float, sun: tuple[float, float, float], rng: np.random.Generator) -> list[Cloud]:
    clouds: list[Cloud] = []
    for _ in range(int(rng.integers(2, 9))):
        height = rng.uniform(0.25, 0.8)  # low clouds are far and small
        x, y, width = rng.uniform(-_REACH, _REACH), horizon * (1 - height), 0.14 + 0.36 * height * rng.uniform(0.5, 1.2)
        hides_sun = abs(x - sun[0]) < width * 0.55 + sun[2] and -0.06 < y - sun[1] < 0.25 * width + sun[2]
        apart = all(abs(x - c.x) > 0.4 * (width + c.width) or abs(y - c.y) > 0.09 for c in clouds)
        if apart and not hides_sun:
            clouds.append(Cloud(float(x), float(y), float(width), int(rng.integers(1000))))
    return sorted(clouds, key=lambda cloud: -cloud.y)


def _draw_ridges(kind: str, rng: np.random.Generator) -> list[Ridge]:
    mountains = {"mountains": 2, "lake": 1.2, "desert": 1, "coast": 0.4, "river": 0.9, "road": 0.8}.get(kind, 0.35)
    hills = {"coast": 0.45, "desert": 0.0, "mountains": 1.0, "village": 1.6, "meadow": 1.8, "road": 1.7}.get(kind, 1.4)
    ridges = []
    count = int(mountains + rng.random())
    top = rng.uniform(0.22, 0.33) if kind == "mountains" else rng.uniform(0.12, 0.24)
    for k in range(count):
        ridges.append(Ridge("mountain", float(top * 0.72**k), 1.5 - 0.6 * k, int(rng.integers(1000))))
    count = int(hills + rng.random())
    top = rng.uniform(0.07, 0.14)
    for k in range(count):
        ridges.append(Ridge("hill", float(top * 0.6**k), 0.8 - 0.2 * k, int(rng.integers(1000))))
    if kind not in ("coast", "lake"):
        ridges.append(Ridge("ground", float(rng.uniform(0.012, 0.04)), 0.6, int(rng.integers(1000))))
    return ridges


def _draw_shore(kind: str, rng: np.random.Generator) -> Shore | None:
    seed, beach = int(rng.integers(1000)), float(rng.uniform(0.16, 0.4))
    side = float(rng.choice([-1, 1]))
    if kind == "coast" and rng.random() < 0.4:  # land before the sea: a * x + b * s + c > 0
        tilt, start = float(rng.uniform(-0.25, 0.25)), float(rng.uniform(0.22, 0.5))
        return Shore("line", (tilt, 1.0, -start, 0.0), 0.3 * beach, seed)
    if kind == "coast":  # the shore runs from x = far at the horizon to x = near at the lower edge
        far, near = side * rng.uniform(0.25, 0.8), -side * rng.uniform(0.0, 0.6)
        return Shore("line", (-side, float(side * (near - far)), float(side * far), 0.0), beach, seed)
    if kind == "lake" or (kind == "mountains" and rng.random() < 0.5):  # middle x, nearness; radius in x, in log s
        place = (rng.uniform(-0.25, 0.25), rng.uniform(0.16, 0.34), rng.uniform(0.3, 0.55), rng.uniform(0.55, 0.95))
        return Shore("oval", place, beach * 0.7, seed)
    if kind == "river":  # start, goal, sway, half width
        place = (rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), rng.uniform(0.15, 0.4), rng.uniform(0.16, 0.3))
        return Shore("stream", place, beach * 0.8, seed)
    return None


def _draw_road(kind: str, rng: np.random.Generator) -> Road | None:
    chance = {"road": 1.0, "village": 0.75, "meadow": 0.25, "desert": 0.45, "mountains": 0.15}.get(kind, 0.0)
    if rng.random() > chance:
        return None
    return Road(
        start=float(rng.uniform(-0.4, 0.4)),
        goal=float(rng.uniform(-0.25, 0.25)),
        sway=float(rng.uniform(0.05, 0.35)),
        turn=float(rng.uniform(0.35, 1.0)),
        phase=float(rng.uniform(0, 6.3)),
        half_width=float(rng.uniform(0.13, 0.2)),
    )


def _draw_flowers(kind: str, rng: np.random.Generator) -> float | None:
    chance = {"meadow": 1.0, "village": 0.5, "road": 0.5, "river": 0.5, "mountains": 0.4, "lake": 0.4}.get(kind, 0.0)
    if rng.random() > chance:
        return None
    return float(rng.uniform(-0.1, 0.7) if kind == "meadow" else rng.uniform(-0.7, 0.1))


# How many candidates of each thing a landscape gets over its whole reach (some fall where they cannot stand).
_COUNTS: dict[str, dict[str, float]] = {
    "coast": {"broadleaf": 9, "conifer": 2, "bush": 14, "rock": 20, "house": 3, "boat": 14},
    "lake": {"broadleaf": 8, "conifer": 18, "bush": 8, "rock": 12, "house": 2, "boat": 10},
    "river": {"broadleaf": 14, "conifer": 8, "bush": 12, "rock": 12, "house": 2},
    "road": {"broadleaf": 18, "conifer": 8, "bush": 10, "rock": 8, "house": 3},
    "village": {"broadleaf": 14, "conifer": 4, "bush": 12, "rock": 3, "house": 14},
    "meadow": {"broadleaf": 11, "conifer": 3, "bush": 10, "rock": 7, "house": 2},
    "mountains": {"broadleaf": 2, "conifer": 34, "bush": 6, "rock": 20, "house": 1, "boat": 3},
    "desert": {"bush": 16, "rock": 26},
}
_SIZES = {
    "broadleaf": (0.55, 0.95), "conifer": (0.6, 1.1), "bush": (0.13, 0.24),
    "rock": (0.1, 0.34), "house": (0.5, 0.7), "boat": (0.6, 0.95),
}  # fmt: skip
_WIDTHS = {"house": 1.7, "broadleaf": 0.55, "conifer": 0.35, "bush": 0.8, "rock": 1.0, "boat": 1.0}  # per size
_NEAREST = {"house": 0.62, "boat": 0.5, "broadleaf": 0.8, "conifer": 0.75, "bush": 0.95, "rock": 0.92}
_SMALLEST = 0.03  # height in the picture below which a thing would be a speck


def _draw_things(kind: str, shore: Shore | None, rng: np.random.Generator) -> list[Thing]:
    things: list[Thing] = []
    for what in ("house", "boat", "broadleaf", "conifer", "rock", "bush"):  # those drawn first have the first claim
        count = int(_COUNTS[kind].get(what, 0) * rng.uniform(0.7, 1.3) + rng.random())
        if what == "boat" and shore is None:
            continue
        sizes = rng.uniform(*_SIZES[what], count)
        farthest = np.maximum(0.07, _SMALLEST / sizes)
        nearness = farthest * (_NEAREST[what] / farthest) ** rng.random(count)
        places, seeds = rng.uniform(-_REACH, _REACH, count), rng.integers(1 << 30, size=count)
        for x, near, size, seed in zip(*(a.tolist() for a in (places, nearness, sizes, seeds)), strict=True):
            thing = Thing(what, x, near, size, seed)
            if _has_room(thing, things):
                things.append(thing)
    return sorted(things, key=lambda thing: thing.nearness)


def _has_room(thing: Thing, others: list[Thing]) -> bool:
    """Whether it stands in no other thing: houses and boats need room, trees may form groups."""
    near, half = thing.nearness, _WIDTHS[thing.kind] * thing.size * thing.nearness
    roomy = thing.kind in _ROOMY
    for other in others:
        room, ratio = (0.5, 1.73) if roomy or other.kind in _ROOMY else (0.22, 1.13)
        if near < other.nearness * ratio and other.nearness < near * ratio:
            reach = half + _WIDTHS[other.kind] * other.size * other.nearness
            if abs(thing.x - other.x) < reach * room:
                return False
    return True


_ROOMY = ("house", "boat")
