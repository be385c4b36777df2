"""Manual optimisation of a generator against a discriminator: what every adversarial training needs beside its losses.

Rates, accumulation, clipping, loss scaling, the guard against NaN, and the log of all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from i2i.errors import InputError

GENERATOR, DISCRIMINATOR = 0, 1


class NonFiniteLossError(InputError):
    """A loss became NaN or infinite. Raised before the optimizer steps, so the weights are still the last good ones."""


class TwoPlayerModule(pl.LightningModule):
    """A LightningModule with two optimizers that are stepped by hand.

    Args:
        optimizer_g: makes the generator's optimizer from its parameters.
        optimizer_d: makes the discriminator's.
        decay_from: epoch from which both learning rates fall linearly, to reach zero at ``trainer.max_epochs``; None
            keeps them constant.
        accumulate: batches whose gradients are averaged into one step of the optimizers. The step of the player whose
            turn comes first is that of the whole; the second's gradient of the last batch is through the updated first,
            that of the earlier batches through the first as it was before: all through the updated one would need every
            picture twice, or the graphs of all at once.
        clip: largest norm of the gradient of one optimizer's parameters; None does not clip.
        discriminator_steps: of the discriminator for one of the generator (k in Goodfellow et al. 2014, algorithm 1;
            n_critic in Arjovsky et al. 2017): the generator is stepped with every k-th step of the discriminator.

    Raises:
        InputError: a value out of range.
    """

    def __init__(
        self,
        optimizer_g: OptimizerCallable,
        optimizer_d: OptimizerCallable,
        decay_from: int | None,
        accumulate: int,
        clip: float | None,
        discriminator_steps: int = 1,
    ) -> None:
        super().__init__()
        if decay_from is not None and decay_from < 0:
            raise InputError(f"decay_from is {decay_from}; it is an epoch, 0 or later")
        if accumulate < 1:
            raise InputError(f"accumulate is {accumulate}; it is a number of batches, at least 1")
        if clip is not None and not clip > 0:
            raise InputError(f"clip is {clip}; it is the largest norm of a gradient, above 0")
        if discriminator_steps < 1:
            raise InputError(f"discriminator_steps is {discriminator_steps}; it is a number of steps, at least 1")
        self.automatic_optimization = False
        self._makers = (optimizer_g, optimizer_d)
        self.decay_from = decay_from
        self.accumulate = accumulate
        self.clip = clip
        self.discriminator_steps = discriminator_steps
        self._last_step_ended: float | None = None
        self.unwritten: dict[str, Any] = {}  # the newest values since the last row; some terms come now and then

    def players(self) -> tuple[Iterable[nn.Parameter], Iterable[nn.Parameter]]:
        """The parameters that the generator's and the discriminator's optimizer step."""
        raise TypeError(f"{type(self).__name__} does not say which parameters its players have")

    def configure_model(self) -> None:
        """Take the precision that is trained in, now and not later.

        The trainer would convert the weights only after it has read a checkpoint into them, and what a run in float64
        had learned beyond float32 would be lost when it is continued.
        """
        self.trainer.precision_plugin.convert_module(self)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Generator, discriminator."""
        optimizer_g, optimizer_d = map(_made, ("optimizer_g", "optimizer_d"), self._makers, self.players())
        scaler = getattr(self.trainer.precision_plugin, "scaler", None) if self._trainer is not None else None
        fused = any(group.get("fused") for o in (optimizer_g, optimizer_d) for group in o.param_groups)
        if scaler is not None and self.clip is not None and fused:
            raise InputError(
                "clip with precision 16-mixed needs optimizers with fused: false, as fused ones see gradients that are "
                "still scaled; or use bf16-mixed"
            )
        self._rates = [[group["lr"] for group in o.param_groups] for o in (optimizer_g, optimizer_d)]
        return optimizer_g, optimizer_d

    def on_train_start(self) -> None:
        """Begin the epoch, also one that is continued in its middle, whose start the trainer does not tell."""
        self.begin_epoch()

    def on_train_epoch_start(self) -> None:
        """Begin the epoch."""
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Set the learning rates: a function of configuration and epoch, so that a resumed run obeys both."""
        self._last_step_ended = None
        for player, rates in enumerate(self._rates):
            for group, rate in zip(self._optimizer(player).param_groups, rates, strict=True):
                group["lr"] = rate * self._decay()

    def _decay(self) -> float:
        if self.decay_from is None:
            return 1.0
        last = self.trainer.max_epochs
        if last is None or last < 0:
            raise InputError("decay_from needs trainer.max_epochs: the rates fall to zero at the last epoch")
        return min(1.0, (last - self.current_epoch) / max(last - self.decay_from, 1))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip here: under float16 the gradients are unscaled at this point and not before."""
        if self.clip is not None:
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], self.clip)

    def turn(self, player: int, boundary: bool) -> AbstractContextManager[None]:
        """Within it only this player's parameters take gradients, which are shared over processes at a boundary."""
        return self._optimizer(player).toggle_model(sync_grad=boundary)

    def descend(self, player: int, loss: Tensor, boundary: bool) -> None:
        """Add the loss's gradient; at the boundary of accumulation step the player's optimizer."""
        self.manual_backward(loss / self.accumulate)
        if boundary:
            optimizer = self._optimizer(player)
            optimizer.step()
            optimizer.zero_grad()

    def is_boundary(self, batch_index: int) -> bool:
        """Whether the optimizers are stepped after this batch."""
        return (batch_index + 1) % self.accumulate == 0 or self.trainer.is_last_batch

    @property
    def steps(self) -> int:
        """Steps of the discriminator since the training began.

        The trainer counts those of both optimizers together and keeps the count in checkpoints, so nothing else has to
        be remembered: a round is ``discriminator_steps`` and one. A run that is continued with another number of them
        may be anywhere within a round.
        """
        rounds, further = divmod(self.trainer.global_step, self.discriminator_steps + 1)
        return rounds * self.discriminator_steps + min(further, self.discriminator_steps)

    def optimizer_steps(self, steps: int) -> int:
        """What the trainer counts in so many steps of the discriminator, without the generator's next one."""
        rounds, further = divmod(steps, self.discriminator_steps)
        return rounds * (self.discriminator_steps + 1) + further

    def generator_is_due(self) -> bool:
        """Whether the generator is stepped in the step that this batch belongs to; asked before either is stepped."""
        return (self.steps + 1) % self.discriminator_steps == 0

    @property
    def parts(self) -> int:
        """How many batches, over processes and accumulation, give the mean gradient of one step.

        A term that is a sum over the whole batch of a step, and not a mean, has to be taken that many times.
        """
        return self.accumulate * (1 if self._trainer is None else self.trainer.world_size)

    def gradient(self, loss: Tensor, leaf: Tensor) -> Tensor:
        """d loss / d leaf; through the loss scaler in float16, where small gradients would vanish on the way."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is None:
            return torch.autograd.grad(loss, leaf)[0]
        (gradient,) = torch.autograd.grad(scaler.scale(loss), leaf)
        return cast(Tensor, gradient / scaler.get_scale())

    def guard(self, terms: Mapping[str, Tensor], player: int, batch_index: int) -> None:
        """Stop before a NaN reaches the weights. One transfer to the host for all terms.

        Raises:
            NonFiniteLossError: naming the step and the term.
        """
        values = torch.stack([term.detach().float() for term in terms.values()])
        if torch.isfinite(values).all():
            return
        name, value = next((n, v) for n, v in zip(terms, values.tolist(), strict=True) if not abs(v) < float("inf"))
        raise NonFiniteLossError(
            f"epoch {self.current_epoch}, batch {batch_index}: the term {name!r} of the loss of the "
            f"{('generator', 'discriminator')[player]} is {value}; stopped before the step, the last checkpoint is "
            "good. Try a lower learning rate, clipping, or another precision"
        )

    def log_step(self, g_terms: Mapping[str, Tensor], d_terms: Mapping[str, Tensor], images: int) -> None:
        """Every term unweighted, its mean over processes; both learning rates; images per second of all together.

        Written every few steps.
        """
        terms = {f"generator/{name}": term for name, term in g_terms.items()}
        terms |= {f"discriminator/{name}": term for name, term in d_terms.items()}
        together = torch.cat([term.detach().reshape(1) for term in terms.values()])  # which one message can carry
        values: dict[str, Any] = dict(zip(terms, self.trainer.strategy.reduce(together), strict=True))
        values["learning_rate/generator"] = self._optimizer(GENERATOR).param_groups[0]["lr"]
        values["learning_rate/discriminator"] = self._optimizer(DISCRIMINATOR).param_groups[0]["lr"]
        self.log_dict(values, logger=False, batch_size=images)
        now = time.monotonic()
        if self._last_step_ended is not None:
            values["images_per_second"] = images * self.trainer.world_size / (now - self._last_step_ended)
            self.log("images_per_second", values["images_per_second"], prog_bar=True, logger=False, batch_size=images)
        self._last_step_ended = now
        self.unwritten |= values
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.trainer.fit_loop.total_batch_idx + 1) % every == 0:
            self.record(self.unwritten)
            self.unwritten = {}

    def record(self, values: Mapping[str, Any]) -> None:
        """Write a row into the logs, at once, so that a checkpoint of this step is later than its row.

        The trainer writes what is given to ``self.log`` after the hooks in which checkpoints are saved; a run that was
        killed between the two, and is continued, would never write it.
        """
        if self.loggers and self.trainer.is_global_zero:
            row = {name: float(value) for name, value in values.items()} | {"epoch": self.current_epoch}
            for logger in self.loggers:
                logger.log_metrics(row, step=self.trainer.fit_loop.total_batch_idx)

    def _optimizer(self, player: int) -> LightningOptimizer:
        return cast(list[LightningOptimizer], self.optimizers())[player]


def _made(name: str, make: OptimizerCallable, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    try:
        return make(parameters)
    except ValueError as error:  # a rate, a decay, betas that this optimizer does not take
        raise InputError(f"{name}: {error}") from error
