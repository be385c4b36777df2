"""The two turns of an adversarial training step, whatever makes the pictures and in whatever order the turns come."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from i2i.condition import Condition, Semantics
from i2i.data.datamodule import Batch
from i2i.history import PictureHistory
from i2i.losses.objective import STYLE_TERM, BaseObjective
from i2i.nn.generator import Generator
from i2i.two_player import DISCRIMINATOR, GENERATOR, TwoPlayerModule


class AdversarialModule(TwoPlayerModule):
    """A module whose discriminator judges pictures and whose generator learns from its judgement.

    Attributes:
        generator: made the pictures, and says what of them is compared.
        discriminator: called as ``discriminator(condition, pictures)``; gives what the objective asks for.
        objective: the losses and their weights.
        semantics: how a batch becomes the condition.
        history: earlier pictures for the discriminator; None shows it the current ones.
    """

    generator: Generator
    discriminator: nn.Module
    objective: BaseObjective
    semantics: Semantics
    history: PictureHistory | None

    def discriminators_turn(
        self, batch: Batch, condition: Condition, fake: Tensor, batch_index: int
    ) -> dict[str, Tensor]:
        """Step the discriminator, at the boundary of accumulation, on a batch and the pictures made for it.

        Args:
            batch: with its photos.
            condition: of the batch.
            fake: the pictures (N, …), detached from the generator.
            batch_index: within the epoch.

        Returns:
            What the log gets: the unweighted terms and what the objective watches.
        """
        photo, boundary = batch["photo"], self.is_boundary(batch_index)
        if self.history is not None:
            shown, fake = self.history(batch, fake)
            condition, photo = self.semantics.read(shown), shown["photo"]
        with self.turn(DISCRIMINATOR, boundary):
            seen = self.generator.compared(condition, fake, photo)
            terms, watched = self.objective.discriminator(self.discriminator, *seen)
            self.guard(terms, DISCRIMINATOR, batch_index)
            self.descend(DISCRIMINATOR, self.objective.total(terms), boundary)
        return {name: term.detach() for name, term in terms.items()} | watched

    def generators_turn(
        self,
        condition: Condition,
        fake: Tensor,
        photo: Tensor,
        mean: Tensor | None,
        logvar: Tensor | None,
        batch_index: int,
    ) -> dict[str, Tensor]:
        """Step the generator, at the boundary of accumulation, through the discriminator as it is.

        Args:
            condition: of the batch.
            fake: the pictures (N, …) with their graph.
            photo: the batch's own.
            mean: of the encoded styles, where there are some.
            logvar: their log variance.
            batch_index: within the epoch.

        Returns:
            The unweighted terms for the log.
        """
        boundary = self.is_boundary(batch_index)
        with self.turn(GENERATOR, boundary):
            # The losses' gradient is taken at the picture first: the graphs of the discriminator and of VGG are gone
            # before the generator's backward pass needs its memory.
            picture = fake.detach().requires_grad_()
            seen = self.generator.compared(condition, picture, photo)
            terms = self.objective.generator(self.discriminator, *seen, mean, logvar)
            for name in self.objective.sums & terms.keys():  # meant over the whole batch of a step
                terms[name] = terms[name] * self.parts
            self.guard(terms, GENERATOR, batch_index)
            at_picture = {name: term for name, term in terms.items() if name != STYLE_TERM}
            total = torch.sum(fake * self.gradient(self.objective.total(at_picture), picture))
            if STYLE_TERM in terms:
                total = total + self.objective.total({STYLE_TERM: terms[STYLE_TERM]})
            self.descend(GENERATOR, total, boundary)
        return {name: term.detach() for name, term in terms.items()}
