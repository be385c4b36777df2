"""The shipped configurations on data whose distribution is known: how near their samples come to it.

Each is trained seeded, some for half their length or less. The bounds are several times what was found: rounding leads
every machine elsewhere.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from i2i.cli import main
from i2i.foundations.sampler import Sampler
from i2i.foundations.sources import GaussianRing, SineCurve
from i2i.metrics.samples import energy_distance, modes_covered

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs/foundations"
COUNT = 1024
SINE = 0.05  # of the energy distance
# A single point in the middle of the ring is at 1.4 (4 − 8 / π), an even cloud over it was found at 0.2.
RING = {"gan_ring": 0.06, "minimax_ring": 0.06, "hinge_ring": 0.06, "wgan_gp_ring": 0.06, "lsgan_ring": 0.18}
MINIMAX = ("--model.objective.init_args.adversarial", "i2i.losses.adversarial.MinimaxLoss")


def trained(name: str, run: Path, *flags: str) -> Sampler:
    assert main(["fit", "-c", str(CONFIGS / f"{name}.yaml"), "--run", str(run), *flags]) == 0
    return Sampler.load(run / "checkpoints/last.ckpt")


def column(run: Path, name: str) -> list[float]:
    (log,) = (run / "logs").rglob("metrics.csv")
    with log.open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gan_sine", "minimax_sine", "lsgan_sine", "hinge_sine", "wgan_gp_sine"])
def test_the_sine_is_found(name: str, tmp_path: Path) -> None:
    """Untrained samples lie 3.7 from it, in the units of the energy distance."""
    truth = SineCurve(test=COUNT).split("test").samples
    samples = trained(name, tmp_path / "run", "--trainer.max_epochs", "10").sample(COUNT, seed=1)
    assert energy_distance(truth, samples) < SINE
    assert energy_distance(truth, samples) < 0.1 * energy_distance(truth, samples - 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", RING)
def test_the_ring_is_found(name: str, tmp_path: Path) -> None:
    """Theory promises all modes to a distance that shrinks with every step towards them: to WGAN with its penalty."""
    source = GaussianRing(test=COUNT)
    assert source.centres is not None
    truth = source.split("test").samples
    flags = [] if name == "wgan_gp_ring" else ["--trainer.max_epochs", "8"]
    if name == "minimax_ring":
        name, flags = "gan_ring", [*flags, *MINIMAX]
    samples = trained(name, tmp_path / "run", *flags).sample(COUNT, seed=1)
    assert energy_distance(truth, samples) < RING[name]
    if name == "wgan_gp_ring":
        assert modes_covered(samples, source.centres, source.mode_radius).covered >= 7
        estimate = column(tmp_path / "run", "discriminator/wasserstein")
        assert abs(sum(estimate[-20:]) / 20) < 0.2 * max(estimate)


@pytest.mark.slow
def test_the_published_wgan_comes_nearer_all_the_time(tmp_path: Path) -> None:
    """With clipped weights and a rate of 5e-5 the ring takes longer than a test; its distance falls from the first."""
    trained("wgan_ring", tmp_path / "run", "--trainer.max_epochs", "8")
    found = column(tmp_path / "run", "validation/energy")
    assert found[-1] < 0.7 * found[0]
