"""Walks the road: trains what is not trained yet, and writes the page after every station."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import i2i
from i2i.commands import fit
from i2i.commands.accelerator import check_accelerator
from i2i.commands.configuration import read_configuration
from i2i.errors import InputError, Stopped
from i2i.tour.journal import Journal
from i2i.tour.page import write_tour
from i2i.tour.road import ROAD, chosen
from i2i.tour.station import Station, Training

_BAR = 28
_SEEDS = 1 << 32  # which the trainer takes


def walk(
    out: str | Path, only: Sequence[str] = (), seed: int = 0, device: str = "cpu", road: Sequence[Station] = ROAD
) -> Path:
    """Train the stations, each by `i2i fit`, and write ``out/index.html``.

    What an earlier walk in the same folder has trained is kept, and what it has begun is continued.

    Args:
        out: the folder: the page, and the runs in ``runs``.
        only: the names of the stations to walk; by default all.
        seed: of all trainings.
        device: the accelerator of the trainer: "cpu", "gpu", "mps" or "auto".
        road: the stations there are.

    Returns:
        The page.

    Raises:
        InputError: no such station or device, a folder with something else in it, or no configurations here.
        Stopped: a signal has ended the training, which is saved.
    """
    if not 0 <= seed < _SEEDS:
        raise InputError(f"seed is {seed}; allowed are 0 to {_SEEDS - 1}")
    check_accelerator(device, "--device")
    stations = chosen(only, road)
    configs = find_configs()
    journal = Journal(Path(out))
    everything = [training for station in stations for training in station.trainings]
    for training in everything:
        journal.check(training.name, settings(training, configs, seed))
    page = journal.folder / "index.html"
    for number, station in enumerate(stations, 1):
        for training in station.trainings:
            if journal.done(training.name):
                continue
            print(_where(stations, number, training, everything, journal), flush=True)
            try:
                _train(training, configs, journal, seed, device)
            except Stopped as stopped:
                again = _command(journal.folder, only, seed, device)
                said = f"{str(stopped).split(' Continue with')[0]} The tour goes on with: {again}"
                raise Stopped(said, stopped.status) from stopped
        write_tour(page, journal, road)
    print(f"{_bar(len(everything), len(everything))} the tour is done: open {page}", flush=True)
    return page


def find_configs() -> Path:
    """The folder of the configurations: that of the checkout which the package is run from, or of the one we are in.

    Raises:
        InputError: neither has it.
    """
    places = [Path(i2i.__file__).resolve().parent.parent / "configs", Path("configs").resolve()]
    for place in places:
        if (place / "foundations").is_dir():
            return place
    raise InputError(
        f"the tour reads the configurations of i2i's checkout; there are none in {places[0]} or {places[1]}"
    )


def settings(training: Training, configs: Path, seed: int) -> dict[str, object]:
    """All that a training depends on, for the journal."""
    return {"config": read_configuration(configs / training.config), "flags": list(training.flags), "seed": seed}


def _train(training: Training, configs: Path, journal: Journal, seed: int, device: str) -> None:
    arguments = ["fit", "-c", str(configs / training.config), "--run", str(journal.run(training.name))]
    arguments += ["--resume", "auto", "--seed_everything", str(seed), "--data.seed", str(seed)]
    arguments += ["--trainer.accelerator", device, "--trainer.devices", "1", *training.flags]
    journal.begin(training.name, settings(training, configs, seed))
    start, done = time.monotonic(), False
    try:
        fit.run(arguments)
        done = True
    finally:
        journal.spend(training.name, time.monotonic() - start, done)


def _command(folder: Path, only: Sequence[str], seed: int, device: str) -> str:
    """The command of this very tour."""
    flags = ["--only", *only] if only else []
    flags += ["--seed", str(seed)] if seed else []
    flags += ["--device", device] if device != "cpu" else []
    return shlex.join(["i2i", "tour", str(folder), *flags])


def _where(
    stations: Sequence[Station], number: int, training: Training, everything: Sequence[Training], journal: Journal
) -> str:
    done = sum(journal.done(one.name) for one in everything)
    spent = sum(journal.seconds(one.name) for one in everything)
    return (
        f"\n{_bar(done, len(everything))} station {number} of {len(stations)}: {stations[number - 1].title}, "
        f"{training.label} ({spent / 60:.0f} min so far)"
    )


def _bar(done: int, of: int) -> str:
    filled = round(_BAR * done / max(of, 1))
    return f"[{'=' * filled}{' ' * (_BAR - filled)}] {done}/{of}"
