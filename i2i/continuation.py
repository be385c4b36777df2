"""What a checkpoint must have in common with the run that continues it, and what may differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from i2i.errors import InputError
from i2i.recipe import difference


def fit_to_run(checkpoint: dict[str, Any], description: Mapping[str, Any], terms: Mapping[str, Tensor]) -> None:
    """Refuse another model's checkpoint by the argument that differs, before its tensors are looked at.

    The objective may be another: what its terms remember is taken where there is something, and begins anew if not.

    Args:
        checkpoint: what was read; its state dict becomes what this run's modules hold.
        description: of the run's own model, see :func:`i2i.checkpoint.describe`.
        terms: the state of the run's own objective, by the names it has in the state dict.

    Raises:
        InputError: it is of another model.
    """
    found = checkpoint.get("i2i", {})
    for part in ("generator", "discriminator", "encoder", "semantics"):
        reason = difference(description.get(part), found.get(part), part)
        if reason:
            raise InputError(f"the checkpoint is of another model: {reason}")
    kept = {n: t for n, t in checkpoint["state_dict"].items() if not n.startswith("objective.") or n in terms}
    checkpoint["state_dict"] = {**terms, **kept}
