"""What goes wrong with a request: a status, and a reason that says what is allowed."""

from __future__ import annotations

import math

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Problem(Exception):
    """Ends a request; the client gets ``{"reason": …}``.

    Args:
        status: of HTTP, 4xx or 5xx.
        reason: one line that names the thing, the value found and what is allowed.
        retry: seconds after which another try makes sense.
    """

    def __init__(self, status: int, reason: str, retry: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = " ".join(reason.split())
        self.retry = retry

    def response(self) -> JSONResponse:
        """The answer to the client."""
        headers = None if self.retry is None else {"Retry-After": str(max(1, math.ceil(self.retry)))}
        return JSONResponse({"reason": self.reason}, self.status, headers)


async def answer_problem(request: Request, error: Exception) -> Response:
    """For a :class:`Problem`."""
    assert isinstance(error, Problem)
    return error.response()


async def answer_http_error(request: Request, error: Exception) -> Response:
    """For what the router finds wrong: no such address, or not by this method."""
    assert isinstance(error, HTTPException)
    reason = {404: "there is nothing at this address", 405: f"{request.method} is not allowed here"}
    text = reason.get(error.status_code, str(error.detail))
    return JSONResponse({"reason": text}, error.status_code, dict(error.headers or {}))


async def answer_failure(request: Request, error: Exception) -> Response:
    """For a fault of the service itself, which is logged and not told."""
    return JSONResponse({"reason": "the service failed at this request; its log says more"}, 500)
