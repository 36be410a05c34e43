"""The service's addresses: HTTP, and the two WebSockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from vidrep_pipelines.serving.gate import Gate, RateLimit, read_body, refusal_response
from vidrep_pipelines.serving.openpi import serve_openpi
from vidrep_pipelines.serving.questions import PlanMessage, RefusedError, question_of
from vidrep_pipelines.serving.service import PolicyService
from vidrep_pipelines.serving.sockets import TRY_AGAIN_LATER, BoundedSocket
from vidrep_pipelines.serving.vla_eval import serve_vla_eval

_PLAN_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PlanMessage.model_json_schema()}},
    }
}
Conversation = Callable[[BoundedSocket, PolicyService], Awaitable[None]]


def create_application(service: PolicyService, token: str | None) -> ASGIApp:
    """The service as an ASGI application; it closes the service when it ends.

    Args:
        service: What answers.
        token: That requests must bear; none: no one is asked.
    """
    limit = RateLimit(service.config.bounds.per_second)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.close)

    # Pages with the documentation would fetch scripts from elsewhere; the schema itself is at /openapi.json.
    application = FastAPI(
        title="vidrep-pipelines, serve_policy",
        version=version("vidrep-pipelines"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    _add_http(application, service)
    _add_sockets(application, service, limit)
    return Gate(application, token, limit, service.metrics)


def _add_http(application: FastAPI, service: PolicyService) -> None:
    @application.post("/plan", openapi_extra=_PLAN_SCHEMA)
    async def plan(request: Request) -> Response:
        """Plans a chunk of actions for an observation; it bears the observation's time stamp."""
        bounds = service.config.bounds
        body = await read_body(request, bounds)
        question = await run_in_threadpool(question_of, body, bounds)
        answer = await service.answer(question, "http")
        return JSONResponse(
            {
                "actions": answer.actions.tolist(),
                "time_stamp": answer.time_stamp,
                "seconds": answer.seconds,
                "batch": answer.batch,
                "policy": service.identity,
            }
        )

    @application.get("/health")
    async def health() -> dict[str, object]:
        """Says that the service is there."""
        return {"status": "ok", "chunk_length": service.chunk_length}

    @application.get("/healthz")
    async def healthz() -> Response:
        """The same for openpi's clients."""
        return PlainTextResponse("OK\n")

    @application.get("/metrics")
    async def metrics() -> Response:
        """Counts and latencies for Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @application.exception_handler(RefusedError)
    async def refuse(_: Request, refusal: RefusedError) -> Response:
        service.metrics.refused("http", refusal.status)
        return refusal_response(refusal)


def _add_sockets(application: FastAPI, service: PolicyService, limit: RateLimit) -> None:
    sockets: set[WebSocket] = set()

    def add(path: str, converse: Conversation) -> None:
        @application.websocket(path)
        async def converse_at(socket: WebSocket) -> None:
            if len(sockets) >= service.config.bounds.connections:
                service.metrics.refused("websocket", 503)
                await socket.close(TRY_AGAIN_LATER)
                return
            sockets.add(socket)
            try:
                await converse_with(socket)
            finally:
                sockets.discard(socket)

        async def converse_with(socket: WebSocket) -> None:
            await socket.accept()
            with service.metrics.sockets.track_inprogress():
                try:
                    await converse(BoundedSocket(socket, service.config.bounds, limit), service)
                except WebSocketDisconnect:
                    return

    add("/openpi", serve_openpi)
    add("/vla-eval", serve_vla_eval)
    add("/", serve_openpi if service.config.root == "openpi" else serve_vla_eval)
