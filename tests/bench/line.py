"""One kept-open HTTP/1.1 connection. A pooled client would cost more CPU than the product that is measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlsplit


class Line:
    """One request after another; `headers` go with each."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        where = urlsplit(base_url)
        self._host, self._port = str(where.hostname), int(where.port or 80)
        told = {"Host": where.netloc, "Content-Type": "application/json", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        self._streams = self._streams or await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        content = json.dumps(body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"POST {path} HTTP/1.1\r\n{self._headers}{more}Content-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(line for line in told.split("\r\n") if line.startswith("content-length:"))
        return int(told.split(" ", 2)[1]), await reader.readexactly(int(length.partition(":")[2]))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
