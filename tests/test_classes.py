"""Class tables and label encodings against the published files and plain arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from i2i.classes import ClassTable, LabelEncoding
from i2i.errors import InputError
from i2i.recipe import build, recipe


@pytest.mark.parametrize("name", ["ade20k", "camvid", "cityscapes", "coco_stuff"])
def test_tables_are_the_published_ones(shared: Path, name: str) -> None:
    published = (shared / f"data/classes/{name}.csv").read_text().splitlines()[1:]
    table = ClassTable.load(name)
    for line, found_id, found_name, colour in zip(published, table.ids, table.names, table.colours, strict=True):
        fields = line.split(",")
        assert (int(fields[0]), fields[1], [int(v) for v in fields[2:5]]) == (found_id, found_name, colour.tolist())


def test_facades_have_the_colours_of_matlabs_jet() -> None:
    """The archive's palette is jet(12): a trapezium that rises, stays and falls in thirds, shifted for each channel."""
    trapezium = [85, 170, 255, 255, 255, 255, 170, 85]
    expected = np.zeros((12, 3), int)
    for channel, first in enumerate((5, 2, -1)):  # red, green, blue
        for place, value in enumerate(trapezium, first):
            if 0 <= place < 12:
                expected[place, channel] = value
    table = ClassTable.load("facades")
    assert table.ids == list(range(1, 13)) and table.colours.tolist() == expected.tolist()


def test_a_table_survives_its_own_csv(tmp_path: Path) -> None:
    table = ClassTable(["sea", "dry land"], [[1, 2, 3], [250, 251, 252]], ids=[7, 3])
    (tmp_path / "classes.csv").write_text(table.to_csv())
    again = ClassTable.from_csv(tmp_path / "classes.csv")
    assert (again.names, again.ids, again.colours.tolist()) == (table.names, table.ids, table.colours.tolist())


def test_colours_may_be_left_out_and_are_then_distinct(tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_text("id,name\n" + "".join(f"{i},c{i}\n" for i in range(200)))
    colours = ClassTable.from_csv(tmp_path / "classes.csv").colours
    assert len({tuple(colour) for colour in colours.tolist()}) == 200


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,red\nsea,1\n", "first line"),
        ("id,name\nx,sea\n", "line 2"),
        ("id,name\n1,sea\n1,land\n", "the classes 'sea' and 'land' share the id 1"),
        ("id,name,red,green,blue\n1,sea,1,2,300\n", r"the class 'sea' has the colour \(1, 2, 300\); .* 0 to 255"),
        ("id,name\n", "needs classes; there are none"),
    ],
)
def test_bad_tables_are_refused_with_the_file_name(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(InputError, match=rf"classes\.csv.*{reason}"):
        ClassTable.from_csv(tmp_path / "classes.csv")


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="cityscapes"):
        ClassTable.load("citiscapes")
    with pytest.raises(InputError, match="cannot read"):
        ClassTable.from_csv("absent.csv")


@given(st.data())
def test_ids_become_positions_in_the_table(data: st.DataObject) -> None:
    known = data.draw(st.lists(st.integers(-5, 70000), min_size=2, max_size=20, unique=True))
    unknown, known = known[:1], known[1:]
    encoding = LabelEncoding(ClassTable([str(i) for i in known], [[0, 0, 0]] * len(known), known), unknown)
    chosen = data.draw(st.lists(st.sampled_from(known + unknown), min_size=1, max_size=30))
    labels = encoding.decode(np.array([chosen], dtype=np.int32))
    assert labels.tolist() == [[(known + unknown).index(value) for value in chosen]]
    assert encoding.num_classes == len(known) + 1


@given(st.integers(0, 11), st.tuples(*[st.integers(-8, 8)] * 3))
def test_colours_within_the_tolerance_are_the_class(label: int, shift: tuple[int, int, int]) -> None:
    encoding = LabelEncoding(ClassTable.load("facades"))
    colour = np.clip(encoding.classes.colours[label] + shift, 0, 255)
    assert encoding.decode(colour[None, None].astype(np.uint8)).item() == label


def test_colours_of_no_class_are_named() -> None:
    encoding = LabelEncoding(ClassTable.load("facades"))
    with pytest.raises(InputError, match=r"a\.png: colour \(7, 200, 9\)"):
        encoding.decode(np.array([[[7, 200, 9]]], np.uint8), "a.png")


@given(st.lists(st.integers(0, 181), min_size=1, max_size=50))
def test_colourised_maps_decode_to_themselves(values: list[int]) -> None:
    table = ClassTable.numbered(182)
    labels = np.array([values], dtype=np.uint8)
    assert (LabelEncoding(table, tolerance=0).decode(table.colourise(labels)) == labels).all()


def test_labels_beyond_the_table_are_black() -> None:
    assert ClassTable.numbered(2).colourise(np.array([[-1, 2, 255]])).max() == 0


def test_tables_that_no_csv_reader_takes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    for text in ("x" * 200_000, "id,name\n0," + "x" * 200_000, "id,name,red,green,blue\n0,a,0,0," + "9" * 30):
        path.write_text(text)
        with pytest.raises(InputError, match=r"classes\.csv[:,]"):
            ClassTable.from_csv(path)


def test_ids_far_apart_take_no_room() -> None:
    encoding = LabelEncoding(ClassTable(["a", "b"], [[0, 0, 0], [1, 1, 1]], [7, 2**62]))
    assert encoding.decode(np.array([[2**62, 7]])).tolist() == [[1, 0]]


def test_many_classes_need_sixteen_bits() -> None:
    assert LabelEncoding(ClassTable.numbered(256)).decode(np.array([[255]])).dtype == np.uint8
    assert LabelEncoding(ClassTable.numbered(256), unknown=[999]).decode(np.array([[999]])).dtype == np.int16


def test_what_is_no_map_is_refused() -> None:
    encoding = LabelEncoding(ClassTable.numbered(3))
    for image in (np.zeros((2, 2), np.float32), np.zeros((2, 2, 2), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(InputError, match="not a label map"):
            encoding.decode(image, "a.png")


def test_an_encoding_travels_in_a_recipe() -> None:
    encoding = LabelEncoding(ClassTable.load("cityscapes"), [-1, 255], unknown_label=0, extra_channels=1)
    again = build(recipe(encoding))
    assert again.num_classes == encoding.num_classes == 35
    values = np.array([[0, 33, 255, -1]])
    assert (again.decode(values) == encoding.decode(values)).all()
