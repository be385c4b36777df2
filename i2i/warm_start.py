"""Networks that start from another model's weights: further training on new data, or the next stage of coarse-to-fine.

The rules: the generator takes the whole of the file's generator, or as its
:meth:`~i2i.nn.generator.Generator.previous_stage` where that is what fits; anything else is refused. Discriminator and
encoder take what fits as a whole, else stay new.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from i2i.checkpoint import load_weights
from i2i.errors import InputError
from i2i.model_folder import load_model
from i2i.nn.generator import Generator

Tensors = Mapping[str, Tensor]

_SCALE = re.compile(r"scales\.(\d+)\.")


def warm_start(
    path: str | Path,
    generator: Generator,
    discriminator: nn.Module,
    encoder: nn.Module | None = None,
    average: nn.Module | None = None,
) -> str:
    """Load the weights of a file where they belong, in place.

    A global generator without its last layer becomes the coarse network of a local enhancer, and an enhancer of fewer
    levels the coarser levels of one with more. Scales of a discriminator are told by the smallest photo they see, so
    that one with a further scale takes the others for what they have been trained on.

    Args:
        path: a checkpoint of a training run, or a model; see :func:`i2i.model_folder.load_model`.
        generator: takes the averaged weights where the file has them.
        discriminator: of the same model.
        encoder: of the same model.
        average: the generator's moving average, which begins anew at its weights.

    Returns:
        What was taken and what not, a line for each network.

    Raises:
        InputError: the file cannot be read, or its generator fits neither as a whole nor as the earlier stage.
    """
    tensors = load_model(path)["state_dict"]
    averaged = any(name.startswith("average.") for name in tensors)
    found = _part(tensors, "average" if averaged else "generator")
    lines = [f"generator: {_start_generator(generator, found, path)}" + (" (averaged weights)" if averaged else "")]
    lines.append(f"discriminator: {_start_discriminator(discriminator, _part(tensors, 'discriminator'))}")
    if average is not None:
        average.load_state_dict(generator.state_dict())
    if encoder is not None:
        lines.append(f"encoder: {_start_encoder(encoder, _part(tensors, 'encoder'))}")
    return "\n".join([f"Started from {path}", *(f"  {line}" for line in lines)])


def _part(tensors: Tensors, name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _start_generator(generator: Generator, found: Tensors, path: str | Path) -> str:
    own = generator.state_dict()
    whole_problem = _misfit(own, found)
    if whole_problem is None:
        generator.load_state_dict(dict(found))
        return "taken as a whole"
    earlier = generator.previous_stage()
    if not earlier:
        raise InputError(f"{path}: its generator does not fit this one: {whole_problem}")
    wanted = {name: tensor for name, tensor in own.items() if _in_any(name, earlier)}
    given = {re.sub(r"^trunk\.", "coarse.", name): t for name, t in found.items() if not name.startswith("last.")}
    problem = _misfit(wanted, given)
    if problem is not None:
        raise InputError(f"{path}: its generator does not fit the earlier stage ({', '.join(earlier)}): {problem}")
    generator.load_state_dict(own | given)
    new = sorted({".".join(name.split(".")[:2]) if "enhancers" in name else "last" for name in own.keys() - given})
    return f"{', '.join(earlier)} taken; its last layer not; new: {', '.join(new)}"


def _start_discriminator(discriminator: nn.Module, found: Tensors) -> str:
    if not found:
        return "new, there is none in the file"
    own = discriminator.state_dict()
    shift = _scales(own) - _scales(found)
    given = {_SCALE.sub(lambda m: f"scales.{int(m[1]) + shift}.", name): tensor for name, tensor in found.items()}
    if shift < 0:
        given = {name: tensor for name, tensor in given.items() if not name.startswith("scales.-")}
    wanted = {name: tensor for name, tensor in own.items() if name in given or not _scale_before(name, shift)}
    problem = _misfit(wanted, given)
    if problem is not None:
        return f"new, the file's does not fit: {problem}"
    discriminator.load_state_dict(own | given)
    if shift == 0:
        return "taken as a whole"
    if shift < 0:
        return f"its {_scales(own)} coarsest scales taken, of {_scales(found)}"
    return f"its {_scales(found)} scales taken for the coarsest; new: the {shift} finest"


def _start_encoder(encoder: nn.Module, found: Tensors) -> str:
    if not found:
        return "new, there is none in the file"
    # Clusters are those of the features before this training: it makes them wrong.
    given = {n: t for n, t in encoder.state_dict().items() if n.startswith("cluster_")}
    given = dict(found) | given
    try:
        load_weights(copy.deepcopy(encoder), given, "the file's")
    except InputError as error:
        return f"new: {error}"
    load_weights(encoder, given, "the file's")
    return "taken as a whole"


def _misfit(own: Tensors, found: Tensors) -> str | None:
    """The first difference in names and shapes, in words."""
    for name, tensor in own.items():
        if name not in found:
            return f"{name} is not in the file"
        if found[name].shape != tensor.shape:
            return f"{name} is {tuple(found[name].shape)} in the file and {tuple(tensor.shape)} here"
    extra = next((name for name in found if name not in own), None)
    return None if extra is None else f"{extra} of the file has no place here"


def _in_any(name: str, parts: list[str]) -> bool:
    return any(name.startswith(f"{part}.") for part in parts)


def _scales(tensors: Tensors) -> int:
    numbers = [int(found[1]) for found in map(_SCALE.match, tensors) if found]
    return max(numbers, default=-1) + 1


def _scale_before(name: str, first: int) -> bool:
    found = _SCALE.match(name)
    return found is not None and int(found[1]) < first
