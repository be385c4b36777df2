"""Progressive growing (Karras et al. 2018): when the networks that can grow do so."""

from __future__ import annotations

import math
from typing import Any, cast

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from i2i.data.datamodule import DataModule
from i2i.errors import InputError
from i2i.foundations.connected import ConnectedDiscriminator
from i2i.foundations.convolutional import DCGANDiscriminator
from i2i.nn.growth import Growing, growths
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.translator import Translator


class Grow(pl.Callback):
    """Makes generator and discriminator small, and lets them grow; a network that cannot grow stays as it is.

    At each size they are trained for a while, then the next size is faded in for a while; at the last they stay. The
    growth is a function of epoch and batch alone, so a run that is continued goes on exactly, and one that is
    continued by another schedule obeys that. It changes between steps of the optimizers only. It is logged
    as "growth": as many doublings are done as it has wholes, and its fraction is how far the next is faded in.

    The condition is read, and its patterns are found, at full size at all times; what is trained is the size of
    the moment (see :meth:`i2i.nn.generator.Generator.compared`). ``best.ckpt`` is chosen among the epochs that end
    grown out.

    Args:
        hold: epochs at each size, above 0.
        fade: epochs in which the next size is faded in; 0 changes at once.

    Raises:
        InputError: an argument out of range; or, when training starts, a generator that cannot grow, a discriminator of
            other stages or of one size, or one that cannot judge the first size, networks under torch.compile, or a
            training that has no whole epoch in which they are grown out.
    """

    def __init__(self, hold: float, fade: float) -> None:
        if not hold > 0 or not fade >= 0:
            raise InputError(f"Grow: hold {hold}, fade {fade}; these are epochs, hold is above 0 and fade at least 0")
        self.hold = hold
        self.fade = fade

    def growth_at(self, epochs: float, stages: int) -> float:
        """The growth, in [0, stages], after so many epochs."""
        doublings, rest = divmod(epochs, self.hold + self.fade)
        faded = min((rest - self.hold) / self.fade, 1.0) if rest > self.hold else 0.0
        return min(doublings + faded, float(stages))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse what cannot grow, or not in time."""
        if stage != "fit":
            return
        translator = cast(Translator, pl_module)
        generator, discriminator = translator.generator, translator.discriminator
        if not isinstance(generator, Growing):
            raise InputError(
                f"Grow: a {type(generator).__name__} cannot grow; use i2i.nn.progressive_spade."
                "ProgressiveSPADEGenerator, or leave Grow out"
            )
        stages = generator.growth.stages
        if isinstance(discriminator, ConnectedDiscriminator | DCGANDiscriminator):
            raise InputError(
                f"Grow: a {type(discriminator).__name__} judges samples of one size; use i2i.foundations.progressive."
                "ProgressiveDiscriminator"
            )
        if isinstance(discriminator, Growing) and discriminator.growth.stages != stages:
            raise InputError(
                f"Grow: the generator has {stages} stages, the discriminator {discriminator.growth.stages}; they grow "
                "together"
            )
        if any(part._compiled_call_impl is not None for part in translator.modules()):
            raise InputError("Grow: networks that grow change their sizes; leave compile out")
        end, epochs = stages * (self.hold + self.fade), trainer.max_epochs
        if epochs is not None and 0 <= epochs < end + 1:
            raise InputError(
                f"Grow: with hold {self.hold:g}, fade {self.fade:g} and {stages} stages the networks are grown out "
                f"after {end:g} epochs; trainer.max_epochs is {epochs}, and at least {math.ceil(end + 1)} are needed"
            )
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, DataModule) and data.resize.size is not None:
            self._check_sizes(translator, data.batch_size, data.resize.size, stages)

    def _check_sizes(self, translator: Translator, batch: int, size: tuple[int, int], stages: int) -> None:
        height, width = (side >> stages for side in size)
        if isinstance(translator.discriminator, MultiscalePatchGAN):
            try:
                translator.discriminator.check_size(batch, height, width)
            except InputError as error:
                raise InputError(f"Grow: photos begin as {height} x {width} after {stages} stages: {error}") from error
        epochs = stages * (self.hold + self.fade)
        rank_zero_only(print)(
            f"Growing from {height} x {width} to {size[0]} x {size[1]}, grown out after {epochs:g} epochs", flush=True
        )

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Grow, between two steps of the optimizers."""
        translator = cast(Translator, pl_module)
        begun = batch_idx - batch_idx % translator.accumulate
        now = 0.0
        for growth in growths(translator):
            growth.now = now = self.growth_at(
                trainer.current_epoch + begun / trainer.num_training_batches, growth.stages
            )
        for player in (translator.generator, translator.discriminator):
            if isinstance(player, Growing):
                player.release()
        translator.unwritten["growth"] = now
