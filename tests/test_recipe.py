"""Recipes: what is recorded, and what is built from a file."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from i2i.classes import ClassTable, LabelEncoding
from i2i.errors import InputError
from i2i.nn.spade import SPADEGenerator
from i2i.recipe import build, recipe, recorded
from i2i.semantics import LabelSemantics


@recorded
class Parent:
    def __init__(self, a: int, b: str = "x") -> None:
        self.a, self.b = a, b


@recorded
class Child(Parent):
    def __init__(self, c: Any = None) -> None:
        super().__init__(1)
        self.c = c


def test_defaults_and_positions_are_recorded_as_plain_data() -> None:
    assert recipe(LabelSemantics(3)) == {
        "class": "i2i.semantics.LabelSemantics",
        "arguments": {"num_classes": 3, "edges": False},
    }
    assert recipe(Child((1, 2)))["arguments"] == {"c": [1, 2]}  # its own arguments, not its parent's


def test_a_recipe_survives_json_and_nests() -> None:
    encoding = LabelEncoding(ClassTable(["sky", "road"], [(1, 2, 3), (4, 5, 6)], ids=[7, 9]), unknown=(255,))
    text = json.dumps(recipe(encoding))
    again = build(json.loads(text))
    assert json.dumps(recipe(again)) == text
    assert again.classes.names == ["sky", "road"] and again.num_classes == 3


def test_the_signature_stays_visible() -> None:
    assert list(inspect.signature(SPADEGenerator).parameters)[:3] == ["label_channels", "style_dim", "width"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class": "os.system", "arguments": {}}, "'os.system'; only classes of the package i2i"),
        ({"class": "i2ix.Thing", "arguments": {}}, "only classes of the package i2i"),
        ({"class": "i2i.nothing.Thing", "arguments": {}}, "this version of i2i does not have"),
        ({"class": "i2i.semantics.Thing", "arguments": {}}, "this version of i2i does not have"),
        ({"class": "i2i.semantics.SemanticMap", "arguments": {}}, "not a recorded class"),
        ({"class": "i2i.semantics.instance_edges", "arguments": {}}, "not a recorded class"),
        ({"class": "i2i.recipe.importlib.import_module", "arguments": {}}, "does not have"),
        ({"class": "i2i.semantics.LabelSemantics", "arguments": {"classes": 3}}, r"unknown arguments \['classes'\]"),
        ({"class": "i2i.semantics.LabelSemantics"}, "not a recipe"),
        ([], "not a recipe"),
    ],
)
def test_a_file_builds_nothing_but_recorded_classes(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(given)


def test_what_is_not_recorded_has_no_recipe() -> None:
    with pytest.raises(TypeError, match="object is not a recorded class"):
        recipe(object())
    with pytest.raises(TypeError, match="complex"):
        recipe(Child(1j))
