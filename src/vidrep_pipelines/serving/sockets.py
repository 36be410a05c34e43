"""A WebSocket within bounds: what says nothing, or takes nothing, is closed; what asks too often waits."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from vidrep_pipelines.serving.config import ServingBounds
from vidrep_pipelines.serving.gate import RateLimit, address_of
from vidrep_pipelines.serving.questions import RefusedError

POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 1008, 1011, 1013


class BoundedSocket:
    """A connection of a client.

    Args:
        socket: Accepted.
        bounds: Of time; that of messages' sizes is kept by the server.
        limit: How often each address may ask.
    """

    def __init__(self, socket: WebSocket, bounds: ServingBounds, limit: RateLimit) -> None:
        self._socket, self._bounds, self._limit = socket, bounds, limit

    async def receive(self) -> bytes | None:
        """The next message; none, when the client has gone or has said nothing for too long.

        Raises:
            RefusedError: It is a text.
        """
        try:
            async with asyncio.timeout(self._bounds.idle_seconds):
                message = await self._socket.receive()
        except TimeoutError:
            await self.close(POLICY_VIOLATION, "nothing was said for too long")
            return None
        if message["type"] != "websocket.receive":
            return None
        while wait := self._limit.wait_seconds(address_of(self._socket.scope)):
            await asyncio.sleep(wait)
        data = message.get("bytes")
        if data is None:
            raise RefusedError(422, "A text was sent; messages are binary MessagePack.")
        return bytes(data)

    async def send(self, data: bytes | str) -> None:
        """Sends a message, a text or bytes.

        Raises:
            WebSocketDisconnect: The client has gone, or does not take it in time.
        """
        try:
            async with asyncio.timeout(self._bounds.receive_seconds):
                if isinstance(data, str):
                    await self._socket.send_text(data)
                else:
                    await self._socket.send_bytes(data)
        except (TimeoutError, RuntimeError):
            raise WebSocketDisconnect(1006) from None

    async def close(self, code: int, reason: str) -> None:
        """Closes the connection, if it is still open."""
        if self._socket.application_state is WebSocketState.CONNECTED:
            try:
                async with asyncio.timeout(self._bounds.receive_seconds):
                    await self._socket.close(code, reason)
            except (TimeoutError, RuntimeError, WebSocketDisconnect):
                return
