"""Who may ask, how often, and how long a request may take to arrive."""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from vidrep_pipelines.serving.config import ServingBounds
from vidrep_pipelines.serving.metrics import ServiceMetrics
from vidrep_pipelines.serving.questions import RefusedError

OPEN_PATHS = ("/health", "/healthz")
"""Asked by watchers without a token; they say no more than that the service is there."""

_SCHEMES = ("bearer", "api-key")
"""Of a token in the header ``Authorization``; openpi's clients use the second."""

_MOST_ADDRESSES = 4096
_MOST_DISCARDED = 8
"""Times the longest body that are read, and thrown away, before a request that is too long is answered."""


class RateLimit:
    """So many requests a second of each address, and as many at once.

    Args:
        per_second: How many.
        clock: Seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_second, clock
        self._most = max(1.0, per_second)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """0, and the request counts; or after how long it may come again."""
        now = self._clock()
        left, then = self._left.pop(address, (self._most, now))
        left = min(self._most, left + (now - then) * self._rate)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        while len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


class Gate:
    """Lets through who bears the token, is no web page, and does not ask too often.

    A page that a browser shows can reach a service on the same machine: its requests bear ``Origin``, which
    those of robots do not.

    Args:
        application: What is behind it.
        token: That every request must bear; none: no one is asked.
        limit: How often each address may ask; WebSockets count their messages themselves.
        metrics: Where refusals are counted.
    """

    def __init__(
        self, application: ASGIApp, token: str | None, limit: RateLimit, metrics: ServiceMetrics
    ) -> None:
        self._application, self._token, self._limit, self._metrics = application, token, limit, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        try:
            if scope["type"] in ("http", "websocket"):
                self._check(scope)
        except RefusedError as refusal:
            self._metrics.refused(scope["type"], refusal.status)
            if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
                await refusal_response(refusal)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        await self._application(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        if "origin" in headers:
            raise RefusedError(403, "Web pages are not answered.")
        if self._token is not None and scope["path"] not in OPEN_PATHS:
            given = _token_of(headers.get("authorization", b""), scope)
            if not hmac.compare_digest(given, self._token.encode()):
                raise RefusedError(401, "The token is missing or wrong.")
        if scope["type"] == "http" and (wait := self._limit.wait_seconds(address_of(scope))):
            raise RefusedError(429, f"Too many requests. Remedy: come again in {wait:.3f} seconds.")


def address_of(scope: Scope) -> str:
    """Of the client of a request; the port is another each time."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _token_of(authorization: bytes, scope: Scope) -> bytes:
    """From the header, or, for WebSockets, from the address: some clients cannot send headers."""
    scheme, _, token = authorization.partition(b" ")
    if str(scheme, "latin-1").lower() in _SCHEMES:
        return bytes(token).strip()
    if scope["type"] == "websocket":
        query = parse_qs(str(scope["query_string"], "latin-1"))
        return query.get("token", [""])[0].encode()
    return b""


async def read_body(request: Request, bounds: ServingBounds) -> bytes:
    """The body of a request.

    Raises:
        RefusedError: It is longer than is taken (413), no JSON by its header (415), or too slow (408).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, "The body must be application/json.")
    announced = request.headers.get("content-length", "0")
    length = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
    most = bounds.message_bytes
    if length > _MOST_DISCARDED * most or (length > most and "expect" in request.headers):
        raise _too_long(bounds)
    try:
        async with asyncio.timeout(bounds.receive_seconds):
            body = await _received(request, most)
    except TimeoutError:
        raise RefusedError(
            408, f"The request took longer than {bounds.receive_seconds:g} s to arrive."
        ) from None
    if body is None:
        raise _too_long(bounds)
    return body


async def _received(request: Request, most: int) -> bytes | None:
    """The body; none if it is longer. A client that has not sent all would not read what it is answered."""
    body, length = bytearray(), 0
    async for part in request.stream():
        length += len(part)
        if length > _MOST_DISCARDED * most:
            return None
        if length <= most:
            body += part
        else:
            body.clear()
    return bytes(body) if length <= most else None


def refusal_response(refusal: RefusedError) -> JSONResponse:
    """What a refused request is answered; the connection ends, as its body may not have been read."""
    headers = {"Connection": "close"}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": refusal.reason}, refusal.status, headers)


def _too_long(bounds: ServingBounds) -> RefusedError:
    return RefusedError(413, f"The request is longer than the {bounds.message_bytes} bytes that are taken.")
