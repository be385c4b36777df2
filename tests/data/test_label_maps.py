"""A label map is the same labels in whatever form it is given."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.label_maps import label_batch
from i2i.data.transforms import Fixed
from i2i.errors import InputError

TABLE = ClassTable(["sky", "tree", "road"], [[90, 160, 250], [30, 120, 40], [90, 90, 95]], ids=[7, 11, 250])
ENCODING = LabelEncoding(TABLE)
LABELS = np.random.default_rng(0).integers(0, 3, (6, 9)).astype(np.uint8)
IDS = np.asarray(TABLE.ids, np.uint8)[LABELS]
COLOURS = TABLE.colourise(LABELS)


def forms(folder: Path) -> list[Any]:
    palette = Image.fromarray(IDS)
    palette.putpalette(list(range(256)) * 3)
    Image.fromarray(IDS).save(folder / "ids.png")
    palette.save(folder / "palette.png")
    Image.fromarray(COLOURS).save(folder / "colours.png")
    wide = Image.fromarray(IDS.astype(np.uint16))
    arrays: list[Any] = [LABELS, LABELS.astype(">u2"), LABELS.astype(np.uint32), np.asfortranarray(LABELS)[None]]
    tensors: list[Any] = [torch.from_numpy(LABELS), torch.from_numpy(LABELS)[None, None].long()]
    tensors += [torch.from_numpy(LABELS).to(kind) for kind in (torch.uint16, torch.uint32, torch.uint64)]
    images: list[Any] = [Image.fromarray(IDS), palette, wide, Image.fromarray(COLOURS), Image.open(folder / "ids.png")]
    files: list[Any] = [folder / "ids.png", str(folder / "palette.png"), folder / "colours.png"]
    return [*arrays, *tensors, *images, *files]


def test_every_form_is_the_same_labels(tmp_path: Path) -> None:
    given = forms(tmp_path)
    for form in given:
        ((name, maps),) = label_batch(form, None, ENCODING)
        assert name == "labels" and torch.equal(maps.long(), torch.from_numpy(LABELS)[None].long())
    singles = [form[0] if isinstance(form, torch.Tensor) and form.dim() == 4 else form for form in given]
    ((_, maps),) = label_batch(singles, None, ENCODING)
    assert torch.equal(maps, torch.from_numpy(LABELS).long().expand(len(singles), -1, -1))


def test_instances_come_in_every_form_too(tmp_path: Path) -> None:
    ids = np.random.default_rng(1).integers(0, 70_000, (6, 9)).astype(np.int32)
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "ids.png")
    for form in (ids, torch.from_numpy(ids), Image.fromarray(ids), Image.fromarray(rgb), tmp_path / "ids.png", [ids]):
        batch = dict(label_batch(LABELS, form, ENCODING))
        assert torch.equal(batch["instances"][0].long(), torch.from_numpy(ids).long())


def test_files_come_to_the_size_of_the_training_and_all_else_stays(tmp_path: Path) -> None:
    resize = Fixed((3, 12))
    Image.fromarray(IDS).save(tmp_path / "ids.png")
    expected = torch.from_numpy(resize.apply_labels(LABELS))
    for instances in (LABELS, torch.from_numpy(LABELS).long(), Image.fromarray(LABELS)):
        batch = dict(label_batch(tmp_path / "ids.png", instances, ENCODING, resize))
        assert torch.equal(batch["labels"][0], expected) and torch.equal(batch["instances"][0], expected.int())
    assert label_batch(LABELS, None, ENCODING, resize)[0][1].shape == (1, 6, 9)
    assert label_batch(Image.fromarray(IDS), None, ENCODING, resize)[0][1].shape == (1, 6, 9)


def grey_png(values: np.ndarray, depth: int) -> bytes:
    """A grey PNG of few bits a pixel, which PIL reads but does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b""
    for row in values:
        bits = "".join(f"{int(v):0{depth}b}" for v in row)
        bits += "0" * (-len(bits) % 8)
        rows += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@settings(max_examples=20)
@given(st.sampled_from([2, 4]), st.integers(1, 9), st.integers(0, 2**31))
def test_opened_pngs_of_few_bits_keep_their_ids(tmp_path_factory: Any, depth: int, width: int, seed: int) -> None:
    """PIL spreads such values over 0 to 255; by the file's depth they come back, whether it is decoded yet or not."""
    values = np.random.default_rng(seed).integers(0, 2**depth, (3, width))
    encoding = LabelEncoding(ClassTable.numbered(16))
    data = grey_png(values, depth)
    path = tmp_path_factory.mktemp("grey") / "ids.png"
    path.write_bytes(data)
    decoded = Image.open(path)
    decoded.load()
    for image in (Image.open(io.BytesIO(data)), Image.open(path), decoded, path):
        ((_, maps),) = label_batch(image, None, encoding)
        assert np.array_equal(maps[0].numpy(), values)


@pytest.mark.parametrize(
    ("labels", "instances", "message"),
    [
        ([], None, "no labels are given"),
        (np.zeros((0, 4, 4), np.uint8), None, "no labels are given"),
        (np.zeros(4, np.uint8), None, r"labels have shape \(4,\); expected \(H, W\) or \(N, H, W\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), None, "colours become labels by from_rgb"),
        ([np.zeros((2, 4, 4), np.uint8)], None, r"one of several labels has shape \(2, 4, 4\)"),
        ([np.zeros((4, 4)), np.zeros((4, 6))], None, "the label maps are 4x4 and 6x4 pixels; .* one by one"),
        (LABELS, [LABELS, LABELS], "2 instance maps for 1 label maps"),
        (LABELS, LABELS[:3], r"instances have shape \(3, 9\), the labels \(6, 9\)"),
        (5, None, "labels are a int; allowed are arrays"),
        ([5], None, "a int is among the labels"),
        (np.full((2, 2), 2**63, np.uint64), None, "labels hold 9223372036854775808; ids of up to 9223372036854775807"),
        (torch.from_numpy(np.full((2, 2), 2**64 - 1, np.uint64)), None, "labels hold 18446744073709551615"),
        (LABELS, np.full((6, 9), 2**63, np.uint64), "instances hold 9223372036854775808"),
        (Image.fromarray(LABELS), None, "the label map: label 0, 1, 2 is out of range; allowed are 7, 11, 250"),
        (Image.fromarray(COLOURS + 60), None, r"the label map: colour \(.*\) is no class"),
        (Image.new("F", (3, 3)), None, "mode F is not a label map"),
        ("nowhere.png", None, "nowhere.png: no such file"),
    ],
)
def test_what_is_no_batch_of_maps(labels: Any, instances: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        label_batch(labels, instances, ENCODING)


def test_a_photo_is_no_label_map(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "photo.jpg")
    for photo in (tmp_path / "photo.jpg", Image.open(tmp_path / "photo.jpg")):
        with pytest.raises(InputError, match="JPEG compression changes ids"):
            label_batch(photo, None, ENCODING)
    Image.fromarray(IDS).save(tmp_path / "ids.png")
    broken = io.BytesIO((tmp_path / "ids.png").read_bytes()[:60])
    with pytest.raises(InputError, match="cannot be read as a label map"):
        label_batch(Image.open(broken), None, ENCODING)
