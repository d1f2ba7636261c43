"""A mail relay that takes everything and keeps nothing but counts: `python -m tests.bench.mail_sink PORT`.

ESMTP with PIPELINING, one process. `XCOUNT` is answered with JSON: letters taken, different addressees, different
Message-IDs, connections, and when the first and the last letter came (seconds of the wall clock).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import uvloop

END = b"\r\n.\r\n"


class Counts:
    """What came, over all connections."""

    def __init__(self) -> None:
        self.letters, self.connections = 0, 0
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.addressees: set[bytes] = set()
        self.ids: set[bytes] = set()

    def took(self, to: bytes, head: bytes) -> None:
        self.last_at = time.time()
        self.first_at = self.first_at or self.last_at
        self.letters += 1
        self.addressees.add(to)
        self.ids.add(head.partition(b"Message-ID: ")[2].partition(b"\r")[0])

    def told(self) -> bytes:
        counted: dict[str, Any] = {
            "letters": self.letters, "addressees": len(self.addressees), "ids": len(self.ids),
            "connections": self.connections, "first_at": self.first_at, "last_at": self.last_at,
        }  # fmt: skip
        return b"250 " + json.dumps(counted).encode() + b"\r\n"


class Conversation(asyncio.Protocol):
    """One connection. Commands are answered in order, however many came at once (RFC 2920)."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self._rest, self._in_data, self._to = counts, b"", False, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        answers = []
        while (answer := self._next()) is not None:
            answers.append(answer)
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))

    def _next(self) -> bytes | None:
        if self._in_data:
            letter, found, rest = self._rest.partition(END)
            if not found:
                return None
            self._rest, self._in_data = rest, False
            self._counts.took(self._to, letter[:1_000])
            return b"250 taken\r\n"
        line, found, rest = self._rest.partition(b"\r\n")
        if not found:
            return None
        self._rest = rest
        return self._answer(line)

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._to = line
        elif verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        elif verb == b"EHLO":
            self._counts.connections += 1
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n"
        elif line.upper() == b"XCOUNT":
            return self._counts.told()
        return b"250 OK\r\n"


async def serve(port: int) -> None:
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(lambda: Conversation(counts), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def counted(port: int) -> dict[str, Any]:
    """What the sink on this port has counted so far."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await reader.readline()
        writer.write(b"XCOUNT\r\n")
        told: dict[str, Any] = json.loads((await reader.readline())[4:])
    finally:
        writer.close()
    return told


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
