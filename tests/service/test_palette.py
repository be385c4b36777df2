"""Ids of classes through PNG files, whatever their numbers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from i2i.classes import ClassTable, LabelEncoding
from i2i.service.images import read_label_png, read_raw_ids
from i2i.service.palette import Palette
from i2i.service.problem import Problem


def palette(ids: list[int], unknown: list[int] | None = None) -> Palette:
    plain = ClassTable.numbered(len(ids))
    return Palette(LabelEncoding(ClassTable(plain.names, plain.colours.tolist(), ids), unknown or []))


@settings(max_examples=60)
@given(
    ids=st.lists(st.integers(0, 65535), min_size=1, max_size=9, unique=True),
    seed=st.integers(0, 99),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_maps_of_any_ids_are_the_same_after_a_file(ids: list[int], seed: int, size: tuple[int, int]) -> None:
    own = palette(ids)
    labels = np.random.default_rng(seed).integers(0, len(ids), size)
    written = own.png(labels)
    in_file = np.array(Image.open(io.BytesIO(written)))
    assert np.array_equal(in_file, np.array(ids)[labels])
    assert np.array_equal(read_label_png(written, own, 100), labels)
    raw = own.ids(labels)
    assert raw.dtype.itemsize * 8 == own.bits == (8 if max(ids) < 256 else 16)
    assert np.array_equal(read_raw_ids(raw.astype(raw.dtype.newbyteorder("<")).tobytes(), size, own, 100), labels)


def test_a_small_palette_file_shows_the_classes_colours() -> None:
    own = palette([3, 7])
    labels = np.array([[0, 1], [1, 0]])
    colours = np.asarray(Image.open(io.BytesIO(own.png(labels))).convert("RGB"))
    assert np.array_equal(colours, own.encoding.classes.colourise(labels))


def test_ids_that_no_png_holds_are_numbered_anew() -> None:
    own = palette([-1, 70000])
    assert [c.id for c in own.classes] == [0, 1] and own.bits == 8
    assert np.array_equal(own.ids(np.array([[0, 1]])), [[0, 1]])


def test_unknown_can_be_painted_where_it_is_a_label_of_its_own() -> None:
    own = palette([0, 1], unknown=[255])
    assert [(c.id, c.name) for c in own.classes][-1] == (255, "unknown") and own.background == 255
    assert np.array_equal(read_label_png(own.png(np.array([[2, 0]])), own, 9), [[2, 0]])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_grey_files_are_read_by_their_values(bits: int) -> None:
    labels = np.array([[0, 1, 1], [1, 0, 1]], np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(labels * (255 // (2**bits - 1)))
    (image.convert("1") if bits == 1 else image).save(file, format="PNG", bits=bits)
    if bits > 1:  # PIL writes small depths for palettes only, so such a file is made by hand
        import struct
        import zlib

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        rows = b"".join(b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, -bits:]).tobytes() for row in labels)
        header = struct.pack(">IIBBBBB", 3, 2, bits, 0, 0, 0, 0)
        parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
        file = io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert np.array_equal(read_label_png(file.getvalue(), palette([0, 1]), 9), labels)


def test_an_empty_size_is_refused() -> None:
    with pytest.raises(Problem, match="0 x 4 pixels"):
        read_raw_ids(b"", (4, 0), palette([0]), 9)
