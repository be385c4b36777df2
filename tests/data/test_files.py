"""Files of every kind are read to what PIL or plain arithmetic says they hold, or refused in one line."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.files import list_images, read_instances, read_labels, read_photo, upright
from i2i.errors import InputError
from i2i.service.images import read_style_photo

ENCODING = LabelEncoding(ClassTable(["a", "b", "c"], [[255, 0, 0], [0, 255, 0], [0, 0, 255]]), unknown=[255])
RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
IDS = np.array([[0, 1, 2, 255], [2, 1, 0, 0]], dtype=np.uint8)
LABELS = np.array([[0, 1, 2, 3], [2, 1, 0, 0]])


def one_line(error: pytest.ExceptionInfo[InputError], *parts: object) -> None:
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert str(part) in text


def test_rgb_photo_is_unchanged(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.dtype == np.uint8 and (photo == RGB).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "LAB"])
def test_other_modes_become_rgb_as_pil_converts_them(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(RGB).convert("RGB").convert(mode) if mode != "LAB" else Image.new("LAB", (8, 6), 128)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr", "LAB") else "a.png")
    image.save(path)
    with Image.open(path) as again:
        expected = np.asarray(again.convert("RGB"))
    assert (read_photo(path) == expected).all()


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.zeros((6, 8), np.uint8)])
    rgba[:3, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert (photo[:3] == RGB[:3]).all()
    assert (photo[3:] == 255).all()


def test_sixteen_bit_grey_keeps_its_upper_byte(tmp_path: Path) -> None:
    wide = np.arange(0, 65536, 1366, dtype=np.uint16).reshape(6, 8)
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (read_photo(tmp_path / "a.png") == (wide // 256)[:, :, None]).all()


@pytest.mark.parametrize(("orientation", "turns"), [(6, 3), (3, 2), (8, 1)])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    assert (read_photo(tmp_path / "a.png") == np.rot90(RGB, turns)).all()


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
def test_every_orientation_is_that_of_pil_and_taken_once(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(RGB).convert("P" if kind == "png" else "RGB")
    image.save(tmp_path / f"a.{kind}", exif=exif, **({"transparency": 3} if kind == "png" else {}))
    with Image.open(tmp_path / f"a.{kind}") as found, Image.open(tmp_path / f"a.{kind}") as again:
        expected = ImageOps.exif_transpose(again)
        turned = upright(found)
        for one in (turned, upright(turned)):
            assert one.size == expected.size and one.mode == expected.mode and one.format == found.format
            assert one.info.get("transparency") == expected.info.get("transparency")
            assert (np.asarray(one.convert("RGBA")) == np.asarray(expected.convert("RGBA"))).all()


def test_an_orientation_that_is_written_in_xmp_counts(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.webp", lossless=True, xmp=b'<x tiff:Orientation="6"/>')
    assert (read_photo(tmp_path / "a.webp") == np.rot90(RGB, 3)).all()
    with Image.open(tmp_path / "a.webp") as image:
        assert upright(upright(image)).size == (6, 8)


def tags(*entries: tuple[int, int, bytes]) -> bytes:
    """EXIF with one value of four bytes or less in each tag: (tag, type, value)."""
    rows = b"".join(struct.pack("<HHI", tag, kind, 1) + value.ljust(4, b"\0") for tag, kind, value in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_that_is_wrong_elsewhere_turns_photos_and_what_cannot_be_read_leaves_them(tmp_path: Path) -> None:
    turned = (0x0112, 3, struct.pack("<H", 6))
    samples_per_pixel = (0x0115, 11, struct.pack("<f", 3.0))  # a float, which is to be an integer
    cases = {
        "wrong type": (tags(turned, samples_per_pixel), 3),
        "wrong orientation": (tags((0x0112, 11, struct.pack("<f", 6.5))), 0),
        "text": (tags((0x0112, 2, b"six")), 0),
        "cut": (tags(turned, samples_per_pixel)[:-16], 3),
        "nonsense": (b"Exif\0\0nonsense", 0),
    }
    for name, (exif, turns) in cases.items():
        path = tmp_path / f"{name}.jpg"
        Image.fromarray(RGB).save(path, exif=exif)
        with Image.open(path) as image:
            expected = np.rot90(np.asarray(image), turns)
        assert np.array_equal(read_photo(path), expected), name
        assert np.array_equal(read_style_photo(path.read_bytes(), 1000), expected), name


def test_unreadable_photos_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.tile(RGB, (9, 9, 1))).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no image")
    Image.fromarray(RGB[:, :, 0].astype(np.float32)).save(tmp_path / "float.tif")
    for name in ("cut.png", "text.jpg", "absent.png", "float.tif", "."):
        with pytest.raises(InputError) as error:
            read_photo(tmp_path / name)
        one_line(error, tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_ids_of_any_width_become_labels(tmp_path: Path, dtype: type) -> None:
    Image.fromarray(IDS.astype(dtype)).save(tmp_path / "a.tif")
    labels = read_labels(tmp_path / "a.tif", ENCODING)
    assert labels.dtype == np.uint8 and (labels == LABELS).all()


def test_palette_images_count_by_index(tmp_path: Path) -> None:
    image = Image.fromarray(IDS)
    image.putpalette(np.random.default_rng(1).integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "P"
    assert (read_labels(tmp_path / "a.png", ENCODING) == LABELS).all()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_small_grey_pngs_keep_their_ids(tmp_path: Path, depth: int) -> None:
    """PNG optimisers store few ids with fewer bits; written here byte by byte after the PNG specification."""
    ids = np.arange(16, dtype=np.uint8).reshape(2, 8) % min(3, 2**depth)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    rows = b""
    for row in ids:
        bits = "".join(f"{value:0{depth}b}" for value in row)
        rows += b"\0" + int(bits, 2).to_bytes(depth, "big")
    header = (8).to_bytes(4, "big") + (2).to_bytes(4, "big") + bytes([depth, 0, 0, 0, 0])
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    assert (read_labels(tmp_path / "a.png", ENCODING) == ids).all()


@pytest.mark.parametrize("alpha", [False, True])
def test_colour_masks_become_labels(tmp_path: Path, alpha: bool) -> None:
    labels = np.array([[0, 1], [2, 1]])
    mask = ENCODING.classes.colourise(labels)
    mask = np.dstack([mask, np.full((2, 2), 255, np.uint8)]) if alpha else mask
    Image.fromarray(mask).save(tmp_path / "a.png")
    assert (read_labels(tmp_path / "a.png", ENCODING) == labels).all()


def test_what_is_no_label_map_is_refused(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "a.jpg")
    Image.fromarray(IDS.astype(np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "cmyk.tif")
    for name, reason in (("a.jpg", "JPEG"), ("float.tif", "mode F"), ("cmyk.tif", "CMYK")):
        for read in (lambda path: read_labels(path, ENCODING), read_instances):
            with pytest.raises(InputError) as error:
                read(tmp_path / name)
            one_line(error, tmp_path / name, reason)


def test_values_out_of_range_are_named(tmp_path: Path) -> None:
    Image.fromarray(IDS + np.uint8(40)).save(tmp_path / "a.png")
    with pytest.raises(InputError) as error:
        read_labels(tmp_path / "a.png", ENCODING)
    one_line(error, tmp_path / "a.png", 40, "0 to 2")


def test_instances_survive_every_width(tmp_path: Path) -> None:
    ids = np.array([[0, 255, 256], [33008, 65535, 7]], dtype=np.int32)
    Image.fromarray(ids.astype(np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(ids * 1000).save(tmp_path / "a.tif")
    packed = np.stack([ids % 256, ids // 256, np.full_like(ids, 3)], 2).astype(np.uint8)
    Image.fromarray(packed).save(tmp_path / "b.png")
    for name, expected in (("a.png", ids), ("a.tif", ids * 1000), ("b.png", ids + 3 * 65536)):
        read = read_instances(tmp_path / name)
        assert read.dtype == np.int32 and (read == expected).all()


def test_listing_leaves_out_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "._a.jpg", "notes.txt", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "b.PNG"]
    assert [path.name for path in list_images(tmp_path, deep=True)] == ["a.jpg", "b.PNG", "c.png"]
    assert list_images(tmp_path / "absent") == []


def test_reading_needs_neither_lightning_nor_albumentations() -> None:
    code = (
        "import sys, i2i.data.files, i2i.data.transforms\n"
        "sys.exit(any(name in sys.modules for name in ('pytorch_lightning', 'albumentations')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
