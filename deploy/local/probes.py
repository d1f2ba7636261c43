"""Is it ready? Each probe speaks enough of the real protocol to know; it returns what is missing, or None."""

import http.client
import socket
import struct
from collections.abc import Callable
from urllib.parse import urlsplit

Probe = Callable[[], str | None]
TIMEOUT_S = 2.0


def http_ready(url: str) -> Probe:
    """200 means ready; anything else says why in its body."""
    parts = urlsplit(url)

    def probe() -> str | None:
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = connect(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", parts.path or "/")
            response = connection.getresponse()
            body = response.read(500).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return f"{url}: {error}"
        finally:
            connection.close()
        return None if response.status == 200 else f"{url}: HTTP {response.status} {body}"

    return probe


def kafka_ready(bootstrap: str) -> Probe:
    """An ApiVersions request is answered only by a broker that has begun to process requests."""
    request = struct.pack(">hhih", 18, 0, 1, 7) + b"gwangsa"
    return _speaks(_first(bootstrap, 9092), struct.pack(">i", len(request)) + request, lambda answer: len(answer) >= 8)


def postgres_ready(url: str) -> Probe:
    """A start-up message is answered with 'R' (who are you?) by a server that takes sessions, 'E' by one that does not."""
    parts = urlsplit(url)
    body = (
        struct.pack(">i", 196_608) + b"user\0" + (parts.username or "postgres").encode() + b"\0database\0postgres\0\0"
    )
    address = (parts.hostname or "127.0.0.1", parts.port or 5432)
    return _speaks(address, struct.pack(">i", len(body) + 4) + body, lambda answer: answer[:1] == b"R")


def redis_ready(url: str) -> Probe:
    """PONG, or a demand for the password: either way it is up and has loaded its data."""
    named = urlsplit(url).netloc.rpartition("@")[2].split(",")
    parts = urlsplit(f"//{named[0]}")  # of a cluster the first
    address = (parts.hostname or "127.0.0.1", parts.port or 6379)
    return _speaks(address, b"PING\r\n", lambda answer: answer.startswith((b"+PONG", b"-NOAUTH", b"-NOPERM")))


def _first(bootstrap: str, default_port: int) -> tuple[str, int]:
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    return (host.strip("[]") or "127.0.0.1", int(port or default_port))


def _speaks(address: tuple[str, int], request: bytes, understood: Callable[[bytes], bool]) -> Probe:
    def probe() -> str | None:
        where = f"{address[0]}:{address[1]}"
        try:
            with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
                connection.sendall(request)
                answer = connection.recv(256)
        except OSError as error:
            return f"{where}: {error}"
        return None if understood(answer) else f"{where}: {answer[:80]!r}"

    return probe
