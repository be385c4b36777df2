"""What stands before every request: how much and how long is read, who is answered, and what a browser is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.testclient import TestClient

from i2i.service.app import create_app
from i2i.service.guard import POLICY
from i2i.service.limits import Limits
from i2i.service.model import Model
from tests.service.requests import GOOD, PNG, file


def test_a_body_without_a_length_is_counted(served: Model) -> None:
    received = 0

    async def endless() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": bytes(1000), "more_body": True}

    status, body = by_hand(create_app(served, limits=Limits(body=10_000)), endless)
    assert status == 413 and b"10000 bytes" in body and received == 11


def test_who_sends_too_slowly_is_told(served: Model) -> None:
    async def never() -> dict[str, Any]:
        await asyncio.sleep(30)
        return {}

    status, body = by_hand(create_app(served, limits=Limits(upload=0.1)), never)
    assert status == 408 and b"0.1 seconds" in body


def by_hand(app: Any, receive: Any) -> tuple[int, bytes]:
    """The answer to a request whose body comes from a function."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"image/png")]
    scope = {"type": "http", "method": "POST", "path": "/api/synthesize", "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_browsers_are_told_what_the_page_may_do(client: TestClient) -> None:
    for path in ("/", "/page/main.js", "/api/model", "/nowhere"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY and "unsafe" not in POLICY and "http" not in POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST:1", "127.3.2.1"])
def test_the_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1", "10.0.0.7"]
)
def test_another_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/health", headers={"host": host})
    assert answer.status_code == 403 and "this machine alone" in answer.json()["reason"]


def test_pages_of_others_send_nothing(client: TestClient, served: Model) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:99", "http://[", "http://[::1", ""):
        answer = client.post("/api/synthesize", content=file(GOOD), headers=PNG | {"origin": origin})
        assert answer.status_code == 403 and f"a page of {origin}" in answer.json()["reason"]
    own = client.post("/api/synthesize", content=file(GOOD), headers=PNG | {"origin": "http://127.0.0.1"})
    assert own.status_code == 200
    with TestClient(create_app(served, loopback=False), "http://studio.example") as other:
        assert other.get("/health").status_code == 200
