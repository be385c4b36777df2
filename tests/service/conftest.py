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
