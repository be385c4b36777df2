"""Further terms of the discriminator's loss, which bound its slope or keep it from learning few photos by heart."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.objective import Regularizer, judge, judge_both
from i2i.losses.precision import at_least_float32

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class R1(Regularizer):
    """γ/2 · E‖∇D(x)‖² on real photos (Mescheder et al. 2018, equation 9): a flat discriminator around the data.

    A patch discriminator is many, one for each logit. Of the logits l of one scale the term is ‖∇ₓ Σ l‖² divided by
    their number: for one logit a photo that is the published one, and γ of the published order serves for any size of
    photos. The mean over the scales is taken as in SPADE's adversarial loss. Gradients at the condition do not count.

    The gradient is that at the photos which the discriminator is shown, after all views. It is computed, and
    differentiated again, outside of mixed precision: squares of small gradients vanish in float16.

    Args:
        gamma: γ.
        every: steps of the discriminator between two that have the term, which then weighs as much as all of them
            together (Karras et al. 2020, appendix B, "lazy regularization"). The gradient of the gradient costs about
            as much as the rest of the discriminator's step. Steps are counted in the checkpoint.

    Raises:
        InputError: a value out of range.
    """

    name = "r1"
    steps: Tensor

    def __init__(self, gamma: float = 1.0, every: int = 16) -> None:
        super().__init__()
        if not 0 <= gamma < float("inf") or every < 1:
            raise InputError(f"R1: gamma {gamma}, every {every}; allowed are numbers of at least 0 and 1")
        self.every = every
        self.weight = gamma / 2 * every
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> Tensor | None:
        """The unweighted mean of ‖∇D(x)‖²; None at the steps between."""
        step = int(self.steps)
        self.steps += 1
        if step % self.every or self.weight == 0:
            return None
        photo = real.detach().requires_grad_()
        penalties = []
        with torch.autocast(photo.device.type, enabled=False):
            for layers in judge(network, condition, photo):
                logits = layers[-1]
                (gradient,) = torch.autograd.grad(logits.sum(), photo, create_graph=True)
                penalties.append(at_least_float32(gradient).square().sum() / logits.numel())
        return torch.stack(penalties).mean()


class GradientPenalty(Regularizer):
    """λ · E(‖∇D(x̂)‖ − 1)² between real and fake (Gulrajani et al. 2017, equation 3): a critic of slope 1.

    For each sample a point x̂ is drawn evenly on the straight line between its real and its synthesised version. The
    penalty is two-sided: a slope below 1 costs as much as one above. D of a sample is the mean of its logits, which is
    what :class:`i2i.losses.adversarial.WassersteinLoss` compares, and the penalty the mean over the scales. Both lie in
    the same condition; gradients at it do not count.

    As in :class:`R1`, all of it is computed outside of mixed precision. Under dropout the slope is that of the units
    which a sample has. A batch norm in the discriminator would make of the slope something that belongs to the whole
    batch (section 4 there), and is refused. The variation over the batch that the progressive discriminator is told is
    mixed in, too; but with it the penalty was published (Karras et al. 2018): taken is, as there, the gradient of the
    sum of the batch's scores at each sample.

    Args:
        weight: λ.

    Raises:
        InputError: a value out of range.
    """

    name = "gradient_penalty"

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__()
        if not 0 <= weight < float("inf"):
            raise InputError(f"GradientPenalty: weight {weight}; allowed are numbers of at least 0")
        self.weight = weight

    def forward(self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> Tensor | None:
        """The unweighted mean of (‖∇D(x̂)‖ − 1)² over samples of any shape (N, …) and over the scales.

        Raises:
            InputError: the discriminator has a batch norm.
        """
        if self.weight == 0:
            return None
        if any(isinstance(layer, _BATCH_NORMS) for layer in network.modules()):
            raise InputError(
                f"GradientPenalty: the batch norm of {type(network).__name__} mixes samples, whose gradients are taken "
                "one by one; choose another norm for it"
            )
        share = draws.uniform((len(real),)).to(real).reshape(-1, *[1] * (real.dim() - 1))
        between = torch.lerp(fake.detach().to(real), real.detach(), share).requires_grad_()
        penalties = []
        with torch.autocast(between.device.type, enabled=False):
            for layers in judge(network, condition, between):
                scores = at_least_float32(layers[-1]).flatten(1).mean(1)  # (N,)
                (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
                slope = torch.linalg.vector_norm(at_least_float32(gradient).flatten(1), dim=1)
                penalties.append((slope - 1).square().mean())
        return torch.stack(penalties).mean()


class LeCam(Regularizer):
    """E(D(x) − α_F)² + E(D(G) − α_R)² with moving averages of the logits α (Tseng et al. 2021, equation 7).

    Logits on real photos are drawn to the average α_F of those on synthesised ones and the reverse. A discriminator
    that tells the few training photos apart with ever more certainty pays for it; the loss is then related to the LeCam
    divergence, which is robust with few data. Each scale has averages of its own.

    The averages and their age are buffers and thus in the checkpoint: a resumed run regularises as if it had not been
    interrupted. They are means over all processes. The term takes a pass of the discriminator of its own.

    Args:
        weight: of the term, 0.3 in the paper's experiments with the hinge loss.
        decay: of the averages; while they are younger than 1 / (1 − decay) steps they are plain means.

    Raises:
        InputError: a value out of range.
    """

    name = "lecam"
    averages: Tensor
    updates: Tensor

    def __init__(self, weight: float = 0.3, decay: float = 0.99) -> None:
        super().__init__()
        if not 0 <= weight < float("inf") or not 0 <= decay < 1:
            raise InputError(f"LeCam: weight {weight}, decay {decay}; allowed are at least 0, and 0 up to below 1")
        self.weight = weight
        self.decay = decay
        self.register_buffer("averages", torch.zeros(2, 0))  # (fake and real, scales); the first batch tells the scales
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def forward(self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> Tensor | None:
        """The unweighted sum of both distances, mean over logits and scales."""
        on_fake, on_real = (
            [at_least_float32(layers[-1]) for layers in features]
            for features in judge_both(network, condition, fake, real)
        )
        self._follow(torch.stack([torch.stack([x.detach().mean() for x in side]) for side in (on_fake, on_real)]))
        distances = [
            (of_real - average_fake).square().mean() + (of_fake - average_real).square().mean()
            for of_fake, of_real, average_fake, average_real in zip(on_fake, on_real, *self.averages, strict=True)
        ]
        return torch.stack(distances).mean()

    def _follow(self, means: Tensor) -> None:
        """Take the means of a batch, (2, scales), into the averages."""
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(means)
            means /= dist.get_world_size()
        if self.averages.numel() == 0:
            self.averages = torch.zeros_like(means)
        age = int(self.updates)
        self.averages = torch.lerp(means, self.averages.to(means), min(self.decay, age / (age + 1)))
        self.updates += 1

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        found = state_dict.get(f"{prefix}averages")
        if found is not None:  # as many scales as there
            self.averages = self.averages.new_zeros(found.shape)
        super()._load_from_state_dict(state_dict, prefix, *arguments)
