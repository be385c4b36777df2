"""The training step: one update of generator and discriminator, as `i2i fit` makes it, against the original's order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import vgg

from i2i.benchmark.generator import DENSE, FAST, PLAIN
from i2i.benchmark.maps import MapSet
from i2i.benchmark.memory import KeptForBackward, peak_bytes
from i2i.benchmark.results import Case, Measurement
from i2i.benchmark.settings import Settings, make_generator
from i2i.benchmark.timing import interleave
from i2i.data.datamodule import Batch
from i2i.losses.objective import Objective
from i2i.nn.compiled import plain_operations
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.translator import Translator
from i2i.two_player import GENERATOR

NOTES = [
    f"{DENSE}: the reference's modulation in the original's order: G is stepped first and runs again for D. "
    f"{FAST}: as i2i fit trains, one pass of G, D first, fused Adam. Both: Adam, no moving average, photos of noise.",
    "peak MB: allocated in the step beyond weights and optimizers, gradients included; kept MB: activations kept for "
    "the backward passes, weights not counted; both on the first input.",
]


def runs(inputs: int, settings: Settings) -> int:
    """How often :func:`measure_step` ticks."""
    return inputs * 3 * settings.repeats + 3


def measure_step(maps: MapSet, settings: Settings, weights: Path | None, tick: Callable[[], None]) -> Measurement:
    """Time and memory of a training step.

    Args:
        maps: of the batches; their photos are noise.
        settings: see :class:`Settings`.
        weights: of VGG19, for the perceptual loss; None leaves it out.
        tick: called after each run.

    Raises:
        InputError: the VGG19 file cannot be used.
    """
    maps = maps.to(settings.device)
    players = {DENSE: _player(maps, settings, weights, "original"), FAST: _player(maps, settings, weights, "shared")}
    batches = [_batch(maps, index) for index in range(len(maps))]
    difference = _difference(players[DENSE], players[FAST], batches[0], settings)

    def step(player: SteppedAlone, index: int) -> None:
        with settings.autocast():
            player.training_step(batches[index], index)

    def plainly(name: str, index: int) -> None:
        with plain_operations():
            step(players[name], index)

    contestants: dict[str, Callable[[int], None]] = {
        DENSE: lambda index: plainly(DENSE, index),
        FAST: lambda index: step(players[FAST], index),
        PLAIN: lambda index: plainly(FAST, index),
    }
    for work in contestants.values():
        work(0)
        tick()
    seconds = interleave(contestants, len(maps), settings.repeats, settings.device, tick)
    cases = []
    for name, work in contestants.items():
        kept = KeptForBackward(players.get(name, players[FAST]).networks())
        with kept:
            work(0)
        peak = peak_bytes(lambda work=work: work(0), settings.device)  # type: ignore[misc]
        cases.append(Case(name, seconds[name], peak, kept.most))
    about = settings.about(maps) | {"losses": "G+D" if weights is None else "G+D+VGG"}
    numbers = {
        "activations kept, share of the dense reference's": (cases[1].kept or 0) / max(cases[0].kept or 1, 1),
        "images per second, fast": maps.batch / cases[1].median,
        "largest difference of the first pictures": difference,
    }
    return Measurement("step", about, cases, numbers, notes=list(NOTES))


@contextmanager
def random_vgg(seed: int) -> Iterator[Path]:
    """A file of random VGG19 weights, in torchvision's form: the loss means nothing, its time is the same."""
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory(prefix="i2i-benchmark-") as folder:
        layers = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
        path = Path(folder) / "random_vgg19.pth"
        torch.save({f"features.{name}": tensor for name, tensor in layers.state_dict().items()}, path)
        yield path


class SteppedAlone(Translator):
    """A translator that makes its training steps without a Trainer, so that two can take turns in one process."""

    def start(self) -> None:
        """Make the optimizers."""
        self.alone = self.configure_optimizers()

    def networks(self) -> list[nn.Module]:
        """All of them, the frozen one of the perceptual loss included."""
        perceptual = self.objective.perceptual
        return [self, *([] if perceptual is None else [perceptual.features])]

    @contextmanager
    def _alone(self, player: int) -> Iterator[None]:
        mine, others = self.players() if player == GENERATOR else tuple(reversed(self.players()))
        _require(mine, True)
        _require(others, False)
        yield
        _require(others, True)

    def turn(self, player: int, boundary: bool) -> AbstractContextManager[None]:
        """Only this player's parameters take gradients."""
        return self._alone(player)

    def descend(self, player: int, loss: Tensor, boundary: bool) -> None:
        """Add the loss's gradient and step."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.alone[player].step()
        self.alone[player].zero_grad()

    def is_boundary(self, batch_index: int) -> bool:
        """Every batch is a step."""
        return True

    def generator_is_due(self) -> bool:
        """Every step is one of both players."""
        return True

    def gradient(self, loss: Tensor, leaf: Tensor) -> Tensor:
        """d loss / d leaf."""
        return torch.autograd.grad(loss, leaf)[0]

    def log_step(self, g_terms: Mapping[str, Tensor], d_terms: Mapping[str, Tensor], images: int) -> None:
        """Nothing is logged."""


def _require(parameters: Iterable[nn.Parameter], gradient: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(gradient)


def _player(
    maps: MapSet, settings: Settings, weights: Path | None, schedule: Literal["shared", "original"]
) -> SteppedAlone:
    generator = make_generator(maps, settings)
    if schedule == "original":
        generator.modulation = "dense"
    discriminator = MultiscalePatchGAN(maps.semantics.channels, width=settings.width)
    discriminator.look_up = schedule == "shared"
    perceptual = 0.0 if weights is None else 10.0
    fused = schedule == "shared"
    player = SteppedAlone(
        generator,
        discriminator,
        Objective(perceptual=perceptual, vgg=None if weights is None else str(weights)),
        maps.semantics,
        optimizer_g=partial(torch.optim.Adam, lr=1e-4, betas=(0.0, 0.9), fused=fused),
        optimizer_d=partial(torch.optim.Adam, lr=4e-4, betas=(0.0, 0.9), fused=fused),
        ema_decay=0.0,
        schedule=schedule,
    )
    player.to(settings.device).train()
    player.start()
    return player


def _batch(maps: MapSet, index: int) -> Batch:
    generator = torch.Generator().manual_seed(index)
    photo = torch.rand((maps.batch, 3, *maps.size), generator=generator) * 2 - 1
    batch: Batch = {"labels": maps.labels[index], "photo": photo.to(maps.labels[index].device), "name": []}
    if maps.instances is not None:
        batch["instances"] = maps.instances[index]
    return batch


@torch.no_grad()
def _difference(dense: SteppedAlone, fast: SteppedAlone, batch: Batch, settings: Settings) -> float:
    """Between the pictures of the two, which start with the same weights."""
    style = torch.randn(len(batch["labels"]), settings.style_dim).to(settings.device)
    with settings.autocast():
        pictures = [p.generator(p.read(batch), style).float() for p in (dense, fast)]
    return float((pictures[0] - pictures[1]).abs().max())
