"""More requests than the service takes, over real connections: each gets its own picture or a 429, and none is lost."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from i2i.service.app import create_app
from i2i.service.limits import Limits
from i2i.service.model import Model


def png(labels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(labels).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture
def careful(served: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model that takes its time, so that requests gather."""
    make = served.pictures

    def slowly(orders: Any) -> Any:
        time.sleep(0.05)
        return make(orders)

    monkeypatch.setattr(served, "pictures", slowly)
    return served


def test_a_burst_is_answered_or_refused(careful: Model, serve: Any, labels: np.ndarray) -> None:
    app = create_app(careful, limits=Limits(queue=12, batch=4))
    maps = [labels, labels.T.copy()]  # two sizes, which are not mixed
    expected = [careful.synthesizer(one, seed=1)[0] for one in maps]
    bodies = [png(one) for one in maps]
    with serve(app) as address, httpx2.Client(base_url=address, timeout=30) as client:

        def ask(i: int) -> tuple[int, Any]:
            headers = {"content-type": "image/png"}
            return i, client.post("/api/synthesize?seed=1", content=bodies[i % 2], headers=headers)

        with ThreadPoolExecutor(24) as crowd:
            answers = list(crowd.map(ask, range(72)))
        assert {answer.status_code for _, answer in answers} == {200, 429}
        for i, answer in answers:
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1 and "requests wait" in answer.json()["reason"]
                continue
            found = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
            assert found.shape == expected[i % 2].shape and np.abs(found - expected[i % 2]).max() <= 1
        batches = app.state.api.queue.batches
        assert sum(batches) == sum(answer.status_code == 200 for _, answer in answers)
        assert 1 < max(batches) <= 4
        assert ask(0)[1].status_code == 200
        assert client.get("/health").json()["waiting"] == 0


def test_the_work_of_a_client_who_has_gone_is_dropped(careful: Model, serve: Any, labels: np.ndarray) -> None:
    app = create_app(careful, limits=Limits(batch=1))
    with serve(app) as address:
        host = address.removeprefix("http://")
        callers = [HTTPConnection(host) for _ in range(12)]
        for caller in callers:
            caller.request("POST", "/api/synthesize", png(labels), {"content-type": "image/png"})
        while app.state.api.queue.waiting < 5:
            time.sleep(0.005)
        for caller in callers:
            caller.close()
        deadline = time.monotonic() + 10
        while app.state.api.queue.waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sum(app.state.api.queue.batches) < 12
        assert httpx2.get(f"{address}/health").json()["waiting"] == 0
