"""More requests than the service takes, over real connections: each gets its own picture or a 429, and none is lost."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from i2i.service.app import create_app
from i2i.service.limits import Limits
from i2i.service.model import Model
from tests.service.browser import eventually


def png(labels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(labels).save(file, format="PNG")
    return file.getvalue()


def test_a_burst_is_answered_or_refused(served: Model, door: threading.Event, serve: Any, labels: np.ndarray) -> None:
    app = create_app(served, limits=Limits(queue=12, batch=4))
    maps = [labels, labels.T.copy()]  # two sizes, which are not mixed
    expected = [served.synthesizer(one, seed=1)[0] for one in maps]
    bodies = [png(one) for one in maps]
    refused = threading.Event()
    with serve(app) as address, httpx2.Client(base_url=address, timeout=90) as client:

        def ask(i: int) -> tuple[int, Any]:
            headers = {"content-type": "image/png"}
            answer = client.post("/api/synthesize?seed=1", content=bodies[i % 2], headers=headers)
            if answer.status_code == 429:
                refused.set()
            return i, answer

        with ThreadPoolExecutor(24) as crowd:
            asked = crowd.map(ask, range(72))
            assert refused.wait(60)  # 4 at most are in the work and 12 wait: no more of these 24 can
            door.set()
            answers = list(asked)
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


def test_the_work_of_a_client_who_has_gone_is_dropped(
    served: Model, door: threading.Event, serve: Any, labels: np.ndarray
) -> None:
    app = create_app(served, limits=Limits(batch=1))
    with serve(app) as address:
        host = address.removeprefix("http://")
        callers = [HTTPConnection(host) for _ in range(12)]
        for caller in callers:
            caller.request("POST", "/api/synthesize", png(labels), {"content-type": "image/png"})
        eventually(lambda: app.state.api.queue.waiting == 11)  # and one is in the work
        for caller in callers:
            caller.close()
        eventually(lambda: app.state.api.queue.waiting == 0)
        assert app.state.api.queue.batches == [1]
        door.set()
        assert httpx2.get(f"{address}/health", timeout=90).json()["waiting"] == 0
