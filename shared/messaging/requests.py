"""Requests whose bytes are our own, on aiokafka's connections: for the two that are made for every fix, its way of putting them
together, waiting for them and reading the answer costs more than what is asked.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple, TypeAlias

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaError

Then: TypeAlias = Callable[[memoryview | KafkaError], None]

SIZE, SHORT = struct.Struct(">i"), struct.Struct(">h")
HEAD = struct.Struct(">ihhih")  # size, which request, its version, correlation, length of the client's name


class _Header(NamedTuple):
    correlation_id: int


class _Plain:
    """Stands where a connection keeps what was asked: the answer is handed on as it came."""

    @staticmethod
    def parse_response_header(answer: BytesIO) -> _Header:
        return _Header(*SIZE.unpack(answer.read(SIZE.size)))

    class RESPONSE_TYPE:  # noqa: N801 - aiokafka's name
        @staticmethod
        def decode(answer: BytesIO) -> memoryview:
            return answer.getbuffer()[answer.tell() :]


class _Reply:
    """Stands where a connection keeps a future: whoever waits is called at once, and not some turns of the loop later."""

    def __init__(self, connection: AIOKafkaConnection, within_s: float, then: Then) -> None:
        self._then: Then | None = then
        self._timer = asyncio.get_running_loop().call_later(within_s, self._too_late, connection)

    def done(self) -> bool:
        return self._then is None

    def set_result(self, outcome: memoryview | KafkaError) -> None:
        then, self._then = self._then, None
        self._timer.cancel()
        if then is not None:
            then(outcome)

    set_exception = set_result

    def _too_late(self, connection: AIOKafkaConnection) -> None:
        """Everybody else who waits for this broker is told so too."""
        connection.close(reason=CloseReason.CONNECTION_TIMEOUT)


def connection_to(client: AIOKafkaClient, node_id: int) -> AIOKafkaConnection | None:
    """Where requests can go at once; else `client.ready` makes one."""
    connection = client._conns.get((node_id, ConnectionGroup.DEFAULT))
    return connection if connection is not None and connection.connected() else None


def ask(connection: AIOKafkaConnection, api: tuple[int, int], body: bytes, within_s: float, then: Then) -> None:
    """Send a request of (key, version) whose header has no tagged fields. `then` is called once with the body of the answer, or
    with why there is none: the connection was lost, or closed because the answer took too long.
    """
    correlation_id, name = connection._next_correlation_id(), connection._client_id.encode()
    size = HEAD.size - SIZE.size + len(name) + len(body)
    connection._writer.write(b"".join((HEAD.pack(size, *api, correlation_id, len(name)), name, body)))
    waiting: tuple[int, Any, Any] = (correlation_id, _Plain, _Reply(connection, within_s, then))
    connection._requests.append(waiting)


def text(value: str) -> bytes:
    """As the protocol's STRING."""
    encoded = value.encode()
    return SHORT.pack(len(encoded)) + encoded


def text_at(answer: memoryview, at: int) -> tuple[str, int]:
    """A STRING, and where it ends."""
    (length,) = SHORT.unpack_from(answer, at)
    ends = at + SHORT.size + length
    return str(answer[at + SHORT.size : ends], "utf-8"), ends


def number_at(answer: memoryview, at: int) -> tuple[int, int]:
    """An INT32, which may be how many of something follow, and where it ends."""
    return SIZE.unpack_from(answer, at)[0], at + SIZE.size
