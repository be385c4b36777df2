"""A Hugging Face Hub in memory, on this machine: as much of its protocol as models are pushed and pulled by."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Repositories by name: the bytes of their files by name. ``refuse`` is a status that every request then gets."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.refuse: int | None = None
        self.address = ""


@contextmanager
def fake_hub(monkeypatch: pytest.MonkeyPatch, cache: str) -> Iterator[FakeHub]:
    """The hub that huggingface_hub talks to; its cache is empty and its own."""
    constants = pytest.importorskip("huggingface_hub.constants")
    hub = FakeHub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self._get()

    def do_GET(self) -> None:
        self._get()

    def _get(self) -> None:
        match self._parts():
            case ["api", "models", owner, name, "revision", revision]:
                if (files := self._files(f"{owner}/{name}")) is not None:
                    listed = [{"rfilename": file} for file in files]
                    if revision in ("main", COMMIT):
                        self._json({"id": f"{owner}/{name}", "sha": COMMIT, "siblings": listed, "tags": []})
                    else:
                        self._answer(404, headers={"X-Error-Code": "RevisionNotFound"})
            case ["api", "models", owner, name, "tree", _]:
                if (files := self._files(f"{owner}/{name}")) is not None:
                    entries = files.items()
                    self._json([{"type": "file", "path": f, "size": len(b), "oid": _hash(b)} for f, b in entries])
            case [owner, name, "resolve", _, file]:
                content = (self._files(f"{owner}/{name}") or {}).get(file)
                if content is None:
                    self._answer(404, headers={"X-Error-Code": "EntryNotFound"})
                else:
                    self._answer(200, content, {"ETag": f'"{_hash(content)}"', "X-Repo-Commit": COMMIT})
            case []:
                self._answer(self.state.refuse or 500)
            case _:
                self._answer(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        match self._parts():
            case []:
                self._answer(self.state.refuse or 500)
            case ["api", "repos", "create"]:
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                self.state.repositories.setdefault(name, {})
                if asked.get("private") or asked.get("visibility") == "private":
                    self.state.private.add(name)
                self._json({"url": f"{self.state.address}/{name}", "name": name})
            case ["api", "models", _, _, "preupload", _]:
                files = json.loads(body)["files"]
                self._json(
                    {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
                )
            case ["api", "models", owner, name, "commit", _]:
                for line in map(json.loads, body.splitlines()):
                    self._commit(self.state.repositories[f"{owner}/{name}"], line["key"], line["value"])
                self._json({"commitUrl": f"{self.state.address}/{owner}/{name}/commit/{COMMIT}", "commitOid": COMMIT})
            case ["api", "validate-yaml"]:
                self._json({"errors": [], "warnings": []})
            case _:
                self._answer(404)

    def _commit(self, files: dict[str, bytes], key: str, value: dict[str, Any]) -> None:
        match key:
            case "header":
                self.state.messages.append(value["summary"])
            case "file":
                files[value["path"]] = base64.b64decode(value["content"])
            case "deletedFile":
                del files[value["path"]]

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _parts(self) -> list[str]:
        """Of the path; none where every request is refused."""
        self.state.requests.append(f"{self.command} {self.path}")
        if self.state.refuse is not None:
            return []
        return self.path.split("?")[0].strip("/").split("/")

    def _files(self, name: str) -> dict[str, bytes] | None:
        if name not in self.state.repositories:
            self._answer(404, headers={"X-Error-Code": "RepoNotFound"})
        return self.state.repositories.get(name)

    def _json(self, content: Any) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _hash(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
