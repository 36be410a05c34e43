"""Listens, and ends cleanly: Ctrl-C or SIGTERM lets what is being planned be answered."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy
from vidrep_pipelines.serving.application import create_application
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.serving.service import PolicyService

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_END, _LONGEST_HEADERS = 10, 16_384
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_log = logging.getLogger(__name__)


class QuietServer(uvicorn.Server):
    """Ends by a signal without sending the signal on: the run that it is a part of goes on to its end."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Lets signals end the server while it runs, if this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def punctual_protocol(seconds: float) -> type[H11Protocol]:
    """HTTP whose headers must have arrived in time; the service itself sees to the bodies."""

    class PunctualProtocol(H11Protocol):
        _overdue: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                self._expect_headers()
            elif self.conn.their_state is not h11.IDLE:
                self._relax()

        def connection_lost(self, exc: Exception | None) -> None:
            self._relax()
            super().connection_lost(exc)

        def _expect_headers(self) -> None:
            if self._overdue is None:
                self._overdue = self.loop.call_later(seconds, self._refuse)

        def _relax(self) -> None:
            if self._overdue is not None:
                self._overdue.cancel()
                self._overdue = None

        def _refuse(self) -> None:
            upgraded = self.transport.get_protocol() is not self
            if not upgraded and self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self.transport.write(_TOO_SLOW)
                self.transport.close()

    return PunctualProtocol


def make_server(service: PolicyService, token: str | None) -> QuietServer:
    """The server of a service; ``run`` listens until it is told to end."""
    config, bounds = service.config, service.config.bounds
    settings: dict[str, Any] = {
        "host": config.host,
        "port": config.port,
        "http": punctual_protocol(bounds.receive_seconds),
        "ws": "websockets-sansio",
        "ws_max_size": bounds.message_bytes,
        "ws_per_message_deflate": False,  # a few bytes could become any number
        "ws_ping_interval": None,  # simulators block for minutes; the service itself closes what is idle
        "h11_max_incomplete_event_size": _LONGEST_HEADERS,
        "limit_concurrency": bounds.connections + 1,  # uvicorn counts the one that asks, too
        "timeout_keep_alive": max(1, int(bounds.receive_seconds)),
        "timeout_graceful_shutdown": _SECONDS_TO_END,
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,  # an address may hold a token
        "log_config": None,
        "log_level": "warning",
    }
    return QuietServer(uvicorn.Config(create_application(service, token), **settings))


def serve_policy(policy: ChunkPolicy, identity: str, config: ServingConfig) -> None:
    """Answers until Ctrl-C or SIGTERM.

    Args:
        policy: What plans.
        identity: Tells this policy from others.
        config: Where to listen, what is accepted.

    Raises:
        ConfigurationError: The address cannot be listened at, or more actions are to be handed out than the
            policy plans.
    """
    RolloutConfig(execute_steps=config.vla_eval.execute_steps).check_chunk(policy.chunk_length)
    token = token_from(config.token_variable)
    if token is None and not config.is_local:
        _log.warning(
            "%s can be reached from other machines, and no token is asked for. Remedy: set %s.",
            config.host,
            config.token_variable or "serve_policy.token_variable",
        )
    listener = _listener(config)
    _log.info("Policies are served at http://%s:%d; Ctrl-C ends it.", *listener.getsockname()[:2])
    make_server(PolicyService(policy, identity, config), token).run([listener])
    _log.info("The service has ended.")


def token_from(variable: str | None) -> str | None:
    """The token in an environment variable; none where it is not set.

    Raises:
        ConfigurationError: It is too short to be one.
    """
    token = os.environ.get(variable, "").strip() if variable else ""
    if 0 < len(token) < 16:
        raise ConfigurationError(
            f"The token in {variable} has less than 16 letters. Remedy: use a random one."
        )
    return token or None


def _listener(config: ServingConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(config.bounds.connections)  # who asks while the server starts is answered
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"{config.host}:{config.port} cannot be listened at ({error.strerror or error}). Remedy: choose "
            "another serve_policy.port, or end what listens there."
        ) from error
    return listener
