"""What the API answers: the synthesizer's own pictures, and a reason for everything that it refuses."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from i2i.pictures import Pixels
from i2i.service.model import Model, Order
from tests.service.requests import GOOD, PNG, RAW, assert_same, file, shown

PAINTER = "0123456789abcdef" * 2


@pytest.fixture
def photo() -> Pixels:
    return np.random.default_rng(5).integers(0, 256, (30, 50, 3)).astype(np.uint8)


def test_a_map_in_any_form_gives_the_synthesizers_picture(
    client: TestClient, served: Model, labels: np.ndarray
) -> None:
    expected = served.synthesizer(labels, seed=7)[0]
    url = "/api/synthesize?seed=7"
    colours = served.palette.encoding.classes.colourise(labels)
    size = "&width=56&height=40"
    sent = [
        client.post(url, content=file(labels), headers=PNG),
        client.post(url, content=file(labels.astype(np.uint16)), headers=PNG),
        client.post(url, content=file(colours), headers=PNG),
        client.post(url + size, content=labels.tobytes(), headers=RAW),
        client.post(url + size, content=labels.astype("<u2").tobytes(), headers=RAW),
        client.post("/api/synthesize", data={"seed": 7}, files={"labels": ("m", file(labels), "image/png")}),
    ]
    for answer in sent:
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/png", answer.text
        assert_same(shown(answer.content), expected)


def test_the_style_comes_from_a_seed_a_latent_or_a_photo(
    client: TestClient, served: Model, labels: np.ndarray, photo: Pixels
) -> None:
    map_file = {"labels": ("m", file(labels), "image/png")}
    of_photo = served.synthesizer(labels, style=photo)[0]
    answer = client.post("/api/synthesize", files=map_file | {"photo": ("p", file(photo), "image/png")})
    assert_same(shown(answer.content), of_photo)

    latent = client.post("/api/latent", content=file(photo), headers=PNG).json()["latent"]
    assert latent == served.synthesizer.latent(photo).tolist()
    answer = client.post("/api/synthesize", files=map_file, data={"latent": json.dumps(latent)})
    assert_same(shown(answer.content), of_photo)

    drawn = client.get("/api/latent?seed=7").json()["latent"]
    answer = client.post("/api/synthesize", files=map_file, data={"latent": json.dumps(drawn)})
    assert_same(shown(answer.content), served.synthesizer(labels, seed=7)[0])
    random = [client.post("/api/synthesize", files=map_file).content for _ in range(2)]
    assert random[0] != random[1]


def test_several_pictures_come_as_a_zip(client: TestClient, served: Model, labels: np.ndarray) -> None:
    answer = client.post("/api/synthesize?seed=2&count=3", content=file(labels), headers=PNG)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["0.png", "1.png", "2.png"]
        found = [shown(archive.read(name)) for name in archive.namelist()]
    for picture, expected in zip(found, served.synthesizer(labels, seed=2, count=3), strict=True):
        assert_same(picture, expected)


def test_painting_gives_the_same_picture_stroke_by_stroke(
    client: TestClient, served: Model, labels: np.ndarray
) -> None:
    for stroke in (1, 2, 5):
        labels[stroke : stroke + 9, 10:20] = stroke % 4
        fields = {"painter": PAINTER, "stroke": stroke, "seed": 3, "width": 56, "height": 40}
        answer = client.post("/api/paint", data=fields, files={"labels": ("m", labels.tobytes(), RAW["content-type"])})
        assert_same(shown(answer.content), served.synthesizer(labels, seed=3)[0])
    late = client.post("/api/paint", data=fields, files={"labels": ("m", labels.tobytes(), RAW["content-type"])})
    assert late.status_code == 409 and "newer stroke" in late.json()["reason"]
    assert client.get("/health").json()["painters"] == 1


def test_label_maps_go_through_png_and_back_unchanged(client: TestClient, labels: np.ndarray) -> None:
    size = "?width=56&height=40"
    saved = client.post("/api/labels.png" + size, content=labels.tobytes(), headers=RAW)
    image = Image.open(io.BytesIO(saved.content))
    assert image.mode == "P" and np.array_equal(np.asarray(image), labels)
    opened = client.post("/api/labels", content=saved.content, headers=PNG)
    assert opened.content == labels.tobytes()
    assert (opened.headers["x-width"], opened.headers["x-height"]) == ("56", "40")
    double = np.kron(labels, np.ones((2, 2), np.uint8))
    assert client.post("/api/labels", content=file(double), headers=PNG).content == double.tobytes()
    assert client.post("/api/labels?fit=1", content=file(double), headers=PNG).content == labels.tobytes()


def test_the_model_is_described(client: TestClient, served: Model) -> None:
    about = client.get("/api/model").json()
    assert (about["width"], about["height"], about["bits"]) == (56, 40, 8)
    assert about["style"] == "vector" and about["photos"] and about["style_dim"] == 4
    assert about["background"] == 0  # sky: none of the classes is called unlabelled
    rows = client.get("/api/classes").json()["classes"]
    assert [row["name"] for row in rows] == ["sky", "tree", "road", "house"]
    assert rows[1] == {"id": 1, "name": "tree", "colour": [30, 120, 40]}
    first = np.frombuffer(client.get("/api/maps/0").content, np.uint8).reshape(40, 56)
    assert (first[:20] == 0).all() and (first[20:] == 2).all()  # sky above a road
    assert client.get("/health").json()["status"] == "ok"


def test_the_description_names_every_address_of_the_api(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    routes = client.app.state.api.routes()  # type: ignore[attr-defined]
    there = {(r.path, m.lower()) for r in routes for m in r.methods if m != "HEAD"}
    told = {(path, method) for path, methods in described["paths"].items() for method in methods}
    assert there - told == {("/openapi.json", "get")} and told <= there
    for operation in (o for methods in described["paths"].values() for o in methods.values()):
        assert operation["summary"] and {"200", "4XX", "5XX"} == set(operation["responses"])
    assert client.get("/docs").status_code == 200


def bomb() -> bytes:
    """A PNG that says it has 40,000 x 40,000 pixels in few bytes."""
    small = bytearray(file(np.zeros((1, 1), np.uint8)))
    small[16:24] = (40_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


NOISE = np.random.default_rng(0).integers(0, 4, (40, 56)).astype(np.uint8)
BAD = {
    "nothing": ("", b"", PNG, 400, "no bytes came"),
    "no content type": ("", file(GOOD), {}, 415, "content type ''"),
    "another content type": ("", b"<svg/>", {"content-type": "image/svg+xml"}, 415, "'image/svg[+]xml'; allowed"),
    "no image": ("", b"hello", PNG, 422, "not a PNG file"),
    "a JPEG": ("", file(GOOD, "JPEG"), PNG, 422, "not a PNG file"),
    "a damaged PNG": ("", cut(file(NOISE)), PNG, 422, "damaged PNG"),
    "a header alone": ("", file(GOOD)[:30], PNG, 422, "labels"),
    "a bomb": ("", bomb(), PNG, 413, "pixels"),
    "too many pixels": ("", file(np.zeros((101, 100), np.uint8)), PNG, 413, "100 x 101 pixels; allowed are 1 to 10000"),
    "too many bytes": ("", b"\x89PNG" + bytes(200_000), PNG, 413, "allowed are 200000 bytes"),
    "an id that is no class": ("", file(GOOD + 9), PNG, 422, "label 9 is out of range; allowed are 0 to 3"),
    "a colour that is no class": ("", file(np.full((9, 9, 3), 77, np.uint8)), PNG, 422, "is no class"),
    "raw ids without a size": ("", GOOD.tobytes(), RAW, 400, "width and height"),
    "raw ids of another size": ("width=56&height=41", GOOD.tobytes(), RAW, 422, "2240 bytes for 56 x 41"),
    "a raw id that is no class": ("width=56&height=40", (GOOD + 4).tobytes(), RAW, 422, "label 4"),
    "a huge size": ("width=9999&height=9999", GOOD.tobytes(), RAW, 413, "9999 x 9999"),
    "a negative size": ("width=-5&height=40", GOOD.tobytes(), RAW, 422, "width is '-5'"),
    "a size in words": ("width=ten&height=40", GOOD.tobytes(), RAW, 422, "width is 'ten'"),
    "a wrong length": ("", file(GOOD), PNG | {"content-length": "x"}, 400, "content length is 'x'"),
    "a form without a boundary": ("", b"x", {"content-type": "multipart/form-data"}, 400, "boundary"),
    "a long number": ("seed=" + "9" * 5000, file(GOOD), PNG, 422, "seed is '9+'; allowed"),
    "a number of another script": ("seed=٣", file(GOOD), PNG, 422, "seed"),
    "a count of 0": ("count=0", file(GOOD), PNG, 422, "count is '0'; allowed are integers from 1 to 3"),
    "a large count": ("count=99", file(GOOD), PNG, 422, "from 1 to 3"),
    "an unknown parameter": ("sed=1", file(GOOD), PNG, 400, "'sed' is unknown"),
    "a parameter twice": ("seed=1&seed=2", file(GOOD), PNG, 400, "twice"),
    "a latent that is no list": ("latent=%7B%7D", file(GOOD), PNG, 422, "JSON list of 4 numbers"),
    "a latent of another length": ("latent=[1,2]", file(GOOD), PNG, 422, "4 finite numbers"),
    "a latent that is not finite": ("latent=[1,2,3,NaN]", file(GOOD), PNG, 422, "4 finite numbers"),
    "a nested latent": ("latent=" + "[" * 9000, file(GOOD), PNG, 422, "JSON list"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_gets_a_reason_and_the_next_good_one_works(client: TestClient, name: str) -> None:
    query, content, headers, status, reason = BAD[name]
    answer = client.post(f"/api/synthesize?{query}", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    said = answer.json()["reason"]
    assert len(said.splitlines()) == 1 and len(said) < 300
    assert re.search(reason, said), said
    assert client.post("/api/synthesize", content=file(GOOD), headers=PNG).status_code == 200


FORM_BAD = {
    "no map": ({"seed": "1"}, {"photo": ("p", file(NOISE), "image/png")}, 400, "no file 'labels'"),
    "an unknown file": ({}, {"../../etc/passwd": ("p", b"x", "image/png")}, 400, "unknown"),
    "a photo that is none": ({}, {"photo": ("p", b"GIF89a", "image/png")}, 422, "photo: not a PNG"),
    "a photo of another type": ({}, {"photo": ("p", b"x", "text/html")}, 415, "photo: content type 'text/html'"),
    "photo and latent": ({"latent": "[]"}, {"photo": ("p", file(NOISE), "image/png")}, 400, "one of them"),
    "other instances": ({}, {"instances": ("i", file(NOISE[1:]), "image/png")}, 422, "instances are"),
    "a path as a parameter": ({"model": "/etc/passwd"}, {}, 400, "'model' is unknown"),
}


@pytest.mark.parametrize("name", FORM_BAD)
def test_a_bad_form_gets_a_reason_and_the_next_good_one_works(client: TestClient, name: str) -> None:
    data, files, status, reason = FORM_BAD[name]
    own = {} if name == "no map" else {"labels": ("m", file(GOOD), "image/png")}
    answer = client.post("/api/synthesize", data=data, files=own | files)
    assert answer.status_code == status, answer.text
    assert reason in answer.json()["reason"]
    good = client.post("/api/synthesize", files={"labels": ("../../../etc/passwd", file(GOOD), "image/png")})
    assert good.status_code == 200  # a file's name is never looked at


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/api/synthesize", 405, "GET is not allowed"),
        ("GET", "/nowhere", 404, "nothing"),
        ("GET", "/page/../app.py", 404, "nothing"),
        ("GET", "/page/..%2fapp.py", 404, "nothing"),
        ("GET", "/page/%2e%2e/%2e%2e/cli.py", 404, "nothing"),
        ("GET", "/page//etc/passwd", 404, "nothing"),
        ("GET", "/api/maps/-1", 404, "there is no map '-1'"),
        ("GET", "/api/maps/" + "9" * 5000, 404, "there is no map"),
        ("GET", "/api/maps/..%2f..%2fetc%2fpasswd", 404, "nothing"),
        ("GET", "/api/maps/9", 404, "there is no map '9'"),
        ("GET", "/api/styles/0", 404, "there is no style '0'"),
        ("GET", "/api/latent", 400, "seed is missing"),
        ("POST", "/api/paint?painter=../../x&stroke=1", 400, "32 lower-case hexadecimal"),
        ("POST", f"/api/paint?painter={PAINTER}", 400, "number of the stroke"),
        ("POST", f"/api/paint?painter={PAINTER}&stroke=1&count=2", 422, "one picture"),
    ],
)
def test_a_wrong_address_gets_a_reason(client: TestClient, method: str, path: str, status: int, reason: str) -> None:
    answer = client.request(method, path, content=file(GOOD) if method == "POST" else None, headers=PNG)
    assert answer.status_code == status, answer.text
    assert reason in answer.json()["reason"]


def test_a_fault_of_the_service_is_not_told(client: TestClient, served: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(orders: Sequence[Order]) -> list[Pixels]:
        raise RuntimeError("secret path")

    monkeypatch.setattr(served, "pictures", fail)
    answer = client.post("/api/synthesize", content=file(GOOD), headers=PNG)
    assert answer.status_code == 500 and "secret" not in answer.text and answer.json()["reason"]
    monkeypatch.undo()
    assert client.post("/api/synthesize", content=file(GOOD), headers=PNG).status_code == 200
