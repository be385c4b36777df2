"""The LightningModule that trains: one step for SPADE and its relatives, whatever the networks and losses are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from i2i import draws
from i2i.adversarial_module import AdversarialModule
from i2i.checkpoint import describe
from i2i.classes import LabelEncoding
from i2i.condition import Condition, Semantics
from i2i.continuation import fit_to_run
from i2i.data.datamodule import Batch, DataModule
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.history import PictureHistory, of_all_processes
from i2i.losses.objective import BaseObjective
from i2i.losses.precision import at_least_float32
from i2i.metrics.collected import key
from i2i.metrics.similarity import AbsoluteError
from i2i.nn.average import averaged_copy, update_average
from i2i.nn.compilation import compile_networks
from i2i.nn.generator import Generator, check_style, drawer
from i2i.nn.memory import kept_memory
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.recomputation import recompute_blocks
from i2i.nn.style import Encoder
from i2i.pattern_plan import PreparedSemantics


class Translator(AdversarialModule):
    """Trains a generator against a discriminator on pairs of a label map, or an image, and a photo.

    One generator pass an iteration, nothing stale: the generator makes a picture, the discriminator is stepped on it
    (detached) and the photo, then the generator is stepped through the *updated* discriminator on the same picture.

    Args:
        generator: called as ``generator(semantics, style)``; gives (N, 3, H, W) in [-1, 1].
        discriminator: called as ``discriminator(semantics, photo)``; gives what the objective asks for.
        objective: the losses and their weights.
        semantics: how the labels or images of a batch become the networks' condition.
        encoder: photo -> (mean, log variance) of the style (Park et al. 2019, section 3, "multi-modal synthesis"), or
            the style itself and None (instance features, codes of regions), which then is learned by reconstruction.
        encoding, resize: how label files become labels, and photos and maps come to the networks' size; only kept, so
            that a checkpoint needs no other file.
        optimizer_g: makes the optimizer of generator and encoder from their parameters.
        optimizer_d: makes that of the discriminator. Two learning rates are the "TTUR" of Heusel et al. 2017.
        ema_decay: of the averaged generator; 0 switches it off and the trained one is used in its place.
        decay_from, accumulate, clip, discriminator_steps: see :class:`i2i.two_player.TwoPlayerModule`.
        schedule: ``shared`` is the order told above; ``original`` steps the generator first and runs it a second time
            for the discriminator, as the published SPADE code does.
        activation_checkpointing: whether the generator's blocks compute again in backward what they would have kept.
        compile: whether torch.compile prepares what it can of the networks and VGG19, see :mod:`i2i.nn.compilation`.
        channels_last: whether photos and convolutions' weights lie in memory as half-precision convolutions want them.
        frozen_epochs: for the first epochs what an earlier stage has trained of the generator (of a local enhancer the
            coarse network) takes no gradient; from then on everything is trained jointly (Wang et al. 2018).
        history: pictures of earlier steps that are kept and shown to the discriminator in the place of half of the
            current ones, see :class:`i2i.history.PictureHistory`; 0 shows the current ones.

    Raises:
        InputError: arguments out of range, or that cannot go together.
    """

    average_updates: Tensor

    def __init__(
        self,
        generator: Generator,
        discriminator: nn.Module,
        objective: BaseObjective,
        semantics: Semantics,
        encoder: Encoder | None = None,
        encoding: LabelEncoding | None = None,
        resize: Resize | None = None,
        optimizer_g: OptimizerCallable = torch.optim.Adam,
        optimizer_d: OptimizerCallable = torch.optim.Adam,
        ema_decay: float = 0.999,
        decay_from: int | None = None,
        schedule: Literal["shared", "original"] = "shared",
        accumulate: int = 1,
        clip: float | None = None,
        activation_checkpointing: bool = False,
        compile: bool = False,
        channels_last: bool = False,
        frozen_epochs: int = 0,
        history: int = 0,
        discriminator_steps: int = 1,
    ) -> None:
        super().__init__(optimizer_g, optimizer_d, decay_from, accumulate, clip, discriminator_steps)
        if not 0 <= ema_decay < 1:
            raise InputError(f"ema_decay is {ema_decay}; allowed is 0 (off) up to, but without, 1")
        if frozen_epochs < 0 or (frozen_epochs > 0 and not generator.previous_stage()):
            reason = "allowed are 0 and more" if frozen_epochs < 0 else "the generator has no part to be frozen"
            raise InputError(f"frozen_epochs is {frozen_epochs}; {reason}")
        if compile and activation_checkpointing:
            raise InputError("compile and activation_checkpointing do not go together; choose one of them")
        if encoder is not None:
            check_style(generator, encoder)
        self.generator = generator
        if activation_checkpointing:
            recompute_blocks(generator)
        self.discriminator = discriminator
        self.encoder = encoder
        self.objective, self.semantics = objective, semantics
        self.encoding, self.resize = encoding, resize
        self.average = averaged_copy(generator) if ema_decay > 0 else None
        self.register_buffer("average_updates", torch.zeros((), dtype=torch.long))
        self.ema_decay = ema_decay
        self.schedule = schedule
        self.error = AbsoluteError()
        self.frozen_epochs = frozen_epochs
        self.history = PictureHistory(history) if history else None
        self.channels_last = channels_last
        if channels_last:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # of tensors of four dimensions
        if compile:
            compile_networks([generator, discriminator, encoder, objective.frozen])

    def players(self) -> tuple[Iterable[nn.Parameter], Iterable[nn.Parameter]]:
        """Generator with encoder, and discriminator."""
        encoder = [] if self.encoder is None else list(self.encoder.parameters())
        return [*self.generator.parameters(), *encoder], self.discriminator.parameters()

    def setup(self, stage: str) -> None:
        """Let the loader's workers find the patterns that the networks will ask for."""
        data, plan = getattr(self.trainer, "datamodule", None), self.generator.pattern_plan()
        if isinstance(self.discriminator, MultiscalePatchGAN) and not self.objective.views:  # these change the maps
            plan += self.discriminator.pattern_plan()
        if plan and isinstance(data, DataModule):
            data.prepare = PreparedSemantics(self.semantics, plan)

    # --- the networks --------------------------------------------------------------------------------------------

    def read(self, batch: Batch) -> Condition:
        """The condition of a batch."""
        return self.semantics.read(batch)

    def style(self, semantics: Condition, photo: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """A style for each photo, with the mean and log variance it was drawn from, (N, style_dim) each.

        An encoder without a variance gives the style itself. Without an encoder the generator says how to draw one.
        """
        if self.encoder is None:
            return self.generator.draw(semantics), None, None
        mean, logvar = self.encoder(photo, semantics)
        mean = at_least_float32(mean)
        if logvar is None:
            return mean, mean, None
        logvar = at_least_float32(logvar)  # exp overflows half precision early
        noise = draws.normal(mean.shape, mean.device, mean.dtype)
        return mean + noise * torch.exp(0.5 * logvar), mean, logvar

    def forward(self, semantics: Condition, style: Tensor | None = None) -> Tensor:
        """Pictures of the averaged generator (of the trained one where there is no average), (N, 3, H, W)."""
        return cast(Tensor, (self.generator if self.average is None else self.average)(semantics, style))

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Tensor:
        """Each map in the mean style of its photo, in evaluation mode, (N, 3, H, W).

        Where there is no photo or no encoder, the styles are drawn, by name: always the same, whatever the batch.
        """
        was_training = self.training
        self.eval()
        semantics = self.read(batch)
        if self.encoder is not None and "photo" in batch:
            style = self.encoder(batch["photo"], semantics)[0]
        else:
            with draws.of_samples([key(name) for name in batch["name"]]):
                style = drawer(self.generator, self.encoder).draw(semantics)
        picture: Tensor = self(semantics, style)
        self.train(was_training)
        return picture

    # --- the training step ---------------------------------------------------------------------------------------

    def begin_epoch(self) -> None:
        """Set the learning rates, and freeze or release what ``frozen_epochs`` is about.

        Here and not before: processes share the gradients of those parameters that were trainable when the strategy
        was set up, and released ones must be among them.
        """
        super().begin_epoch()
        if self.frozen_epochs:
            self._freeze_previous_stage(self.current_epoch < self.frozen_epochs)

    def on_train_end(self) -> None:
        """Leave nothing frozen."""
        if self.frozen_epochs:
            self._freeze_previous_stage(False)

    def _freeze_previous_stage(self, frozen: bool) -> None:
        for name in self.generator.previous_stage():
            self.generator.get_submodule(name).requires_grad_(not frozen)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step of both optimizers (every ``accumulate`` batches), in the order of ``schedule``.

        With ``discriminator_steps`` above 1 most steps are the discriminator's alone; then the generator only makes its
        pictures.
        """
        with kept_memory(self.device), draws.of_samples(batch.get("seed")):
            self._train_on(batch, batch_index)

    def _train_on(self, batch: Batch, batch_index: int) -> None:
        if "photo" not in batch:
            raise InputError(f"{batch['name'][0]}: no photo; training needs pairs, label maps alone can be synthesised")
        if self.channels_last:
            batch["photo"] = batch["photo"].contiguous(memory_format=torch.channels_last)
        condition, photo = self.read(batch), batch["photo"]
        due = self.generator_is_due()
        with torch.set_grad_enabled(due):
            style, mean, logvar = self.style(condition, photo)
            fake = at_least_float32(self.generator(condition, style))
        g_terms: dict[str, Tensor] = {}
        if due and self.schedule == "original":
            g_terms = self.generators_turn(condition, fake, photo, mean, logvar, batch_index)
            with torch.no_grad():
                fake = at_least_float32(self.generator(condition, self.style(condition, photo)[0]))
        d_terms = self.discriminators_turn(batch, condition, fake.detach(), batch_index)
        if due and self.schedule == "shared":
            g_terms = self.generators_turn(condition, fake, photo, mean, logvar, batch_index)
        if due and self.average is not None and self.is_boundary(batch_index):
            update_average(self.average, self.generator, self.ema_decay, int(self.average_updates))
            self.average_updates += 1
        self.log_step(g_terms, d_terms, photo.shape[0])

    # --- validation and checkpoints ------------------------------------------------------------------------------

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Mean absolute error of the reconstructed photos, in the units of images in [0, 1]."""
        self._measure(batch, "validation")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """As in validation, on the test split."""
        self._measure(batch, "test")

    def _measure(self, batch: Batch, split: str) -> None:
        if "photo" in batch:
            self.error.update(self.reconstruct(batch), batch["photo"], batch["name"])
            self.log(f"{split}/l1", self.error, prog_bar=True, batch_size=len(batch["photo"]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write what the networks are made of, so that a checkpoint needs no flag and no other file.

        All processes come here together, and each gives its history of pictures.
        """
        checkpoint["i2i"] = self._description()
        checkpoint["steps"] = self.steps
        checkpoint["unwritten"] = {name: float(value) for name, value in self.unwritten.items()}
        if self.history is not None:
            checkpoint["history"] = of_all_processes(self.history.state())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """See :func:`i2i.continuation.fit_to_run`. A history of pictures that is not there begins anew."""
        fit_to_run(checkpoint, self._description(), self.objective.state_dict(prefix="objective."))
        self.unwritten = checkpoint.get("unwritten", {})
        histories = checkpoint.get("history", [])
        if self.history is not None and self.global_rank < len(histories):
            self.history.restore(histories[self.global_rank])

    def _description(self) -> dict[str, Any]:
        networks = self.generator, self.semantics, self.encoder, self.discriminator
        return describe(*networks, encoding=self.encoding, resize=self.resize)
