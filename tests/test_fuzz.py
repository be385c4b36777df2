"""Arbitrary bytes and damaged files: what reads them gives a right result or an InputError, and nothing else.

No other exception, no hang (each example has a limit of time), no blow-up of memory. Some examples run always, many
with ``-m slow``.
"""

from __future__ import annotations

import copy
import io
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from i2i.checkpoint import load_file, restore, save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.cli import main
from i2i.data.cache import CachedSource, Manifest
from i2i.data.files import read_instances, read_labels, read_photo
from i2i.data.folder import Folder
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics

CONFIG = Path(__file__).resolve().parent / "conf/folder.yaml"
FOLDER = Path()  # of these tests; the fixture below chooses it
ENCODING = LabelEncoding(ClassTable(["a", "b", "c"], [[255, 0, 0], [0, 255, 0], [0, 0, 255]]), unknown=[255])
IDS = np.array([[0, 1, 2, 255], [2, 1, 0, 0]] * 3, dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _folder_and_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    global FOLDER
    FOLDER = tmp_path_factory.mktemp("fuzz")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000, "kilobytes"


def examples(quick: int, many: int, **strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """Parametrises a property by the number of its examples."""

    def wrap(prop: Callable[..., None]) -> Any:
        def timed(**drawn: Any) -> None:
            start = time.process_time()  # of the processor: on a busy machine an example may wait
            prop(**drawn)
            assert time.process_time() - start < 20, "seconds"

        def run(count: int) -> None:
            limits = settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
            limits(given(**strategies)(timed))()

        run.__doc__ = prop.__doc__
        return pytest.mark.parametrize("count", [quick, pytest.param(many, marks=pytest.mark.slow)])(run)

    return wrap


def named(error: InputError, path: Path | None = None) -> None:
    assert "\n" not in str(error) and (path is None or str(path) in str(error))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


RGB = ENCODING.classes.colourise(np.minimum(IDS, 2))
IMAGES = [
    saved(Image.fromarray(IDS), "PNG"),
    saved(Image.fromarray(IDS).convert("P"), "PNG"),
    saved(Image.fromarray(IDS.astype(np.uint16)), "PNG"),
    saved(Image.fromarray(IDS == 0), "PNG"),
    saved(Image.fromarray(RGB), "PNG"),
    saved(Image.fromarray(np.dstack([RGB, RGB[:, :, :1]])), "PNG"),
    *(saved(Image.fromarray(IDS), kind) for kind in ("TIFF", "BMP", "GIF", "PPM")),
    saved(Image.fromarray(IDS.astype(np.int32)), "TIFF", compression="tiff_lzw"),
    saved(Image.fromarray(IDS.astype(np.float32)), "TIFF"),
    *(saved(Image.fromarray(RGB), kind) for kind in ("JPEG", "WEBP", "TIFF", "GIF")),
    saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """Some bytes of a sound file changed, left out, doubled, or its end missing; sometimes it stays sound."""
    content = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        noise = draw(st.binary(max_size=8))
        match draw(st.sampled_from(["change", "insert", "delete", "end", "repeat"])):
            case "change":
                content[start : start + len(noise)] = noise
            case "insert":
                content[start:start] = noise
            case "delete":
                del content[start : start + len(noise)]
            case "end":
                del content[start:]
            case "repeat":
                content[start:start] = content[start : start + 64]
    return bytes(content)


ENDINGS = st.sampled_from([".png", ".jpg", ".tif", ".bmp", ".gif", ".webp", ".ppm"])


@examples(250, 4000, content=st.binary(max_size=300) | damaged(IMAGES), ending=ENDINGS)
def test_images(content: bytes, ending: str) -> None:
    """Label maps, photos and instance maps."""
    path = FOLDER / f"any{ending}"
    path.write_bytes(content)
    for read in (lambda: read_labels(path, ENCODING), lambda: read_photo(path), lambda: read_instances(path)):
        try:
            array: Any = read()
        except InputError as error:
            named(error, path)
            continue
        assert array.size and (array.ndim, array.dtype) in ((2, np.uint8), (3, np.uint8), (2, np.int32))
        assert array.ndim == 3 or array.dtype == np.int32 or array.max() < ENCODING.num_classes


CELLS = st.sampled_from(["0", "1", "255", "-1", "65536", "1e3", "", " 7 ", "road", '"a,b"', "é", "9" * 30, "\x00", "٣"])
TABLES = st.lists(st.lists(CELLS, max_size=6), max_size=8).map(
    lambda rows: "\n".join(["id,name,red,green,blue", *(",".join(row) for row in rows)]).encode()
)
SOUND_TABLES = [ENCODING.classes.to_csv().encode(), b"\xef\xbb\xbfid;name\n1;a\n", b"name,id\nsky,4\ntree,2147483647\n"]


@examples(
    200,
    6000,
    content=st.binary(max_size=200) | TABLES | damaged(SOUND_TABLES),
    ids=st.lists(st.integers(-3, 2**31), min_size=1, max_size=6),
)
def test_class_tables(content: bytes, ids: list[int]) -> None:
    path = FOLDER / "classes.csv"
    path.write_bytes(content)
    try:
        table = ClassTable.from_csv(path)
    except InputError as error:
        named(error, path)
        return
    assert len(table) == len(table.ids) == len(set(table.ids)) == len(table.colours) > 0
    wanted = [i for i in table.ids if -(2**63) <= i < 2**63] or ids
    encoding = LabelEncoding(table)
    try:
        labels = encoding.decode(np.array([wanted, wanted], dtype=np.int64))
    except InputError:
        assert not set(wanted) <= set(table.ids)
        return
    assert [table.ids[label] for label in labels[1]] == wanted


def model() -> bytes:
    torch.manual_seed(0)
    generator = SPADEGenerator(3, style_dim=2, width=1, hidden=2, base_size=(1, 1))
    encoder, resize = StyleEncoder(2, width=1, size=16), Fixed((32, 64))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.ckpt"
        save_model(path, generator, LabelSemantics(3), encoder, encoding=ENCODING, resize=resize)
        return path.read_bytes()


MODEL = model()
LEGACY = io.BytesIO()
torch.save(torch.load(io.BytesIO(MODEL), weights_only=True), LEGACY, _use_new_zipfile_serialization=False)
PARTS = ("generator", "semantics", "encoder", "encoding", "resize")


def opened(path: Path) -> None:
    """Read all that a file has; only an InputError comes out."""
    try:
        contents = load_file(path)
        for part in PARTS:
            restore(contents, part)
    except InputError as error:
        named(error)


@examples(40, 600, content=st.binary(max_size=300) | damaged([MODEL, LEGACY.getvalue(), MODEL[:2000]]))
def test_checkpoints(content: bytes) -> None:
    path = FOLDER / "any.ckpt"
    path.write_bytes(content)
    opened(path)


LEAVES = (
    st.none() | st.booleans() | st.integers(-3, 1 << 40) | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def changed(draw: st.DrawFn, sound: Any) -> Any:
    """Plain data with one or two of its values, or keys, replaced by something else."""
    content = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 2))):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.integers(0, 4)) == 0:
                place[draw(st.text(max_size=6))] = place.pop(key)
            else:
                place[key] = draw(JSON)
            break
    return content


DESCRIPTION = torch.load(io.BytesIO(MODEL), weights_only=True)


@examples(100, 600, description=changed(DESCRIPTION["i2i"]))
def test_descriptions_in_checkpoints(description: Any) -> None:
    path = FOLDER / "described.ckpt"
    torch.save({**DESCRIPTION, "i2i": description}, path)
    opened(path)


SOUND = CONFIG.read_bytes()
BOMB = b"a: &a [x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c + 1, c + 1, b", ".join([b"*%c" % c] * 8)) for c in range(97, 110)
)
YAML = [SOUND, b"data: &a {source: *a}\n", b"[" * 3000, b"data: {resize: 3}\n", BOMB + b"data: *n\n"]


def checked(content: bytes) -> None:
    """The real commands end with a status."""
    path = FOLDER / "any.yaml"
    path.write_bytes(content)
    nowhere = ["-c", str(path), "--data.source.root", str(FOLDER / "nowhere")]
    assert main(["data", "check", *nowhere]) in (1, 2)
    assert main(["fit", *nowhere, "--run", str(FOLDER / "run")]) in (1, 2)


@examples(15, 120, content=st.binary(max_size=100) | damaged(YAML))
def test_configurations_of_any_bytes(content: bytes) -> None:
    checked(content)


@pytest.mark.parametrize("content", YAML[1:])
def test_configurations_that_are_traps(content: bytes) -> None:
    checked(content)


@examples(15, 120, content=changed(yaml.safe_load(SOUND)["data"]))
def test_configurations_of_other_values(content: Any) -> None:
    checked(yaml.safe_dump({**yaml.safe_load(SOUND), "data": content}).encode())


MANIFEST = {
    "format": 1,
    "encoding": None,
    "instances": False,
    "resize": {"class": "i2i.data.transforms.Fixed", "arguments": {"size": [8, 8]}},
    "semantics": {"class": "i2i.semantics.LabelSemantics", "arguments": {"num_classes": 3, "edges": False}},
    "shard": 2,
    "source": {},
    "splits": {"train": {"count": 3, "files": "", "same_as": None, "training": True}},
}


@examples(150, 3000, manifest=changed(MANIFEST))
def test_manifests_of_caches(manifest: Any) -> None:
    (FOLDER / "cache.json").write_text(json.dumps(manifest))
    for act in (lambda: Manifest.read(FOLDER), lambda: CachedSource([FOLDER], Folder("x"), Fixed((8, 8)))):
        try:
            act()
        except InputError as error:
            named(error)
