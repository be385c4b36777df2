"""Recipes: the JSON from which an object of this package is rebuilt.

A class decorated with :func:`recorded` remembers the arguments it was constructed from. :func:`recipe` gives them as
plain data, which travels inside checkpoints, and :func:`build` makes the object anew. No option file, no pickled class.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from i2i.errors import InputError

T = TypeVar("T")

_ARGUMENTS = "_recorded_arguments"


def recorded(cls: type[T]) -> type[T]:
    """Class decorator: remember the constructor's arguments, defaults included.

    Arguments must be plain data (None, bool, int, float, str, lists and dicts of these) or recorded objects. The
    signature stays visible to :func:`inspect.signature`, so configurations are still read from type hints.
    """
    init: Callable[..., None] = cls.__init__

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = inspect.signature(init).bind(self, *args, **kwargs)
        bound.apply_defaults()
        init(self, *args, **kwargs)
        if type(self) is cls:  # a subclass records its own arguments, not those it hands to its parent
            arguments = dict(list(bound.arguments.items())[1:])
            object.__setattr__(self, _ARGUMENTS, arguments)

    setattr(cls, "__init__", __init__)  # noqa: B010 - assigning to __init__ directly is refused by type checkers
    return cls


def recipe(thing: object) -> dict[str, Any]:
    """The recipe of a recorded object: ``{"class": "i2i.…", "arguments": {…}}``, JSON-serialisable.

    Raises:
        TypeError: the object, or one of its arguments, is neither recorded nor plain data.
    """
    arguments = getattr(thing, _ARGUMENTS, None)
    if arguments is None:
        raise TypeError(f"{type(thing).__name__} is not a recorded class of i2i and has no recipe")
    cls = type(thing)
    return {
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "arguments": {name: _plain(value) for name, value in arguments.items()},
    }


def build(recipe: Mapping[str, Any]) -> Any:
    """Rebuild the object that a recipe describes. Only recorded classes of this package are ever constructed.

    Raises:
        InputError: the recipe names another class, or arguments that the class does not take.
    """
    if not _is_recipe(recipe):
        raise InputError(f"not a recipe: {str(recipe)[:80]!r}; expected the keys 'class' and 'arguments'")
    path = str(recipe["class"])
    cls = _find_class(path)
    if not isinstance(recipe["arguments"], Mapping):
        raise InputError(f"the recipe of {path} has {str(recipe['arguments'])[:80]!r} for its arguments")
    arguments = {name: _rebuilt(value) for name, value in recipe["arguments"].items()}
    allowed = list(inspect.signature(cls).parameters)
    unknown = sorted(map(str, set(arguments) - set(allowed)))
    if unknown:
        raise InputError(f"the recipe of {path} has unknown arguments {unknown}; this version knows {allowed}")
    try:
        return cls(**arguments)
    except InputError:
        raise
    except Exception as error:  # of whatever kind the first use of an unfit value raises: it came from a file
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path} cannot be built from its recipe ({reason})") from error


def difference(own: Any, found: Any, path: str) -> str | None:
    """The first place where the recipe ``found`` in a file differs from our ``own``, in words; None where they agree.

    Args:
        own, found: recipes, or parts of them.
        path: what they are called in the message.
    """
    if isinstance(own, Mapping) and isinstance(found, Mapping):
        for key in [*own, *(k for k in found if k not in own)]:
            deeper = difference(own.get(key), found.get(key), path if key == "arguments" else f"{path}.{key}")
            if deeper:
                return deeper
        return None
    return None if own == found else f"{path} is {found!r} in the file and {own!r} here"


def _find_class(path: str) -> type:
    module_name, _, class_name = path.rpartition(".")
    if module_name != "i2i" and not module_name.startswith("i2i."):
        raise InputError(f"the recipe names {path!r}; only classes of the package i2i are built from a file")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"the recipe names {path!r}, which this version of i2i does not have") from error
    if not (inspect.isclass(found) and getattr(found.__init__, "__wrapped__", None)):
        raise InputError(f"the recipe names {path!r}, which is not a recorded class")
    return cast(type, found)


def _is_recipe(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"class", "arguments"}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return recipe(value)


def _rebuilt(value: Any) -> Any:
    if _is_recipe(value):
        return build(value)
    if isinstance(value, list):
        return [_rebuilt(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _rebuilt(item) for key, item in value.items()}
    return value
