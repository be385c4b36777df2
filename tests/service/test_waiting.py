"""Requests that wait: as files, for no longer than is told, and no more of them than may."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

from i2i.pictures import Pixels
from i2i.service import asked
from i2i.service.app import create_app
from i2i.service.images import read_style_photo
from i2i.service.limits import Limits
from i2i.service.model import Model
from tests.service.browser import eventually
from tests.service.requests import GOOD, PNG, file


def test_who_waits_too_long_is_told(served: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    door = threading.Event()
    monkeypatch.setattr(served, "pictures", lambda orders: [GOOD[None]] if door.wait(60) else [])
    app = create_app(served, limits=Limits(answer=0.2))
    with TestClient(app, "http://127.0.0.1") as client:
        try:
            slow = client.post("/api/synthesize", content=file(GOOD), headers=PNG)
            assert slow.status_code == 504 and "0.2 seconds" in slow.json()["reason"]
            waiting = client.post("/api/synthesize", content=file(GOOD), headers=PNG)
            assert waiting.status_code == 503 and int(waiting.headers["retry-after"]) >= 1
        finally:
            door.set()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The photos that were decoded, by their numbers of bytes."""
    found: list[int] = []

    def watched(data: bytes, most: int) -> Pixels:
        found.append(len(data))
        return read_style_photo(data, most)

    monkeypatch.setattr(asked, "read_style_photo", watched)
    return found


def of_photo(address: str, photo: bytes) -> httpx2.Response:
    return httpx2.post(f"{address}/api/latent", content=photo, headers=PNG, timeout=90)


def in_its_style(address: str, photo: bytes) -> httpx2.Response:
    files = {"labels": ("m", file(GOOD), "image/png"), "photo": ("p", photo, "image/png")}
    return httpx2.post(f"{address}/api/synthesize", files=files, timeout=90)


@pytest.mark.parametrize("ask", [of_photo, in_its_style])
def test_photos_wait_as_files(
    served: Model,
    serve: Any,
    door: threading.Event,
    decoded: list[int],
    ask: Callable[[str, bytes], httpx2.Response],
) -> None:
    """However large they are, and the one for which there is no room is not decoded at all."""
    app = create_app(served, limits=Limits(queue=3))
    photo = file(np.random.default_rng(2).integers(0, 256, (30, 50, 3)).astype(np.uint8))
    with serve(app) as address, ThreadPoolExecutor(5) as clients:
        queue = app.state.api.queue
        try:
            size = f"{address}/api/synthesize?seed=1&width=56&height=40"
            raw = {"content-type": "application/octet-stream"}
            first = clients.submit(httpx2.post, size, content=GOOD.tobytes(), headers=raw, timeout=90)
            eventually(lambda: len(queue.batches) == 1)
            damaged = clients.submit(ask, address, photo[:200])
            whole = [clients.submit(ask, address, photo) for _ in range(2)]
            eventually(lambda: queue.waiting == 3)
            assert ask(address, photo).status_code == 429
            assert decoded == []
        finally:
            door.set()
        assert first.result().status_code == 200
        assert [one.result().status_code for one in whole] == [200, 200]
        answer = damaged.result()
        assert answer.status_code == 422 and answer.json()["reason"].startswith("photo: a damaged PNG")
        assert sorted(set(decoded)) == [200, len(photo)]
