"""The service over a tiny model, and clients of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient

from i2i.service.app import create_app
from i2i.service.gallery import maps
from i2i.service.limits import Limits
from i2i.service.model import Model
from i2i.synthesizer import Synthesizer
from tests.service.browser import Page, browser

Serve = Callable[[Any], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def served(model: Path) -> Model:
    """40 x 56, four classes, a style vector of 4 and an encoder."""
    return Model(Synthesizer.load(model))


@pytest.fixture
def labels() -> np.ndarray:
    return np.kron(np.random.default_rng(3).integers(0, 4, (5, 7)), np.ones((8, 8))).astype(np.uint8)


@pytest.fixture
def client(served: Model) -> Iterator[TestClient]:
    app = create_app(served, "tiny", maps(served, None), [], Limits(pixels=100 * 100, body=200_000, count=3))
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def door(served: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The model makes pictures only while this is set, so that requests gather before it."""
    door, make = threading.Event(), served.pictures

    def behind_the_door(orders: Any) -> Any:
        assert door.wait(60)
        return make(orders)

    monkeypatch.setattr(served, "pictures", behind_the_door)
    yield door
    door.set()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """A real server on a free port; gives its address."""

    @contextmanager
    def running(app: Any) -> Iterator[str]:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()

    return running


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A browser, and where its downloads go."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(served: Model, serve: Serve) -> Iterator[str]:
    """Of the page of the tiny model."""
    with serve(create_app(served, "tiny", maps(served, None))) as address:
        yield f"{address}/"


@pytest.fixture
def page(driver: tuple[Any, Path], address: str) -> Iterator[Page]:
    """The page, to be opened; after the test it must have kept to itself."""
    page = Page(driver[0], address, driver[1])
    yield page
    page.stays_at_home()
