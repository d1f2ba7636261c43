"""Requests to addresses that people name: https or http, and never into our own network (SSRF).

A name is resolved here, every address it has is checked, and the connection goes to a checked address: what DNS says a
moment later does not matter. Redirects are followed by hand, each step checked anew. Nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

Resolver = Callable[[str, int], Awaitable[list[str]]]
REDIRECTS = {301, 302, 303, 307, 308}
LONGEST_URL = 2_000
WELL_KNOWN = 1_024
# Networks that Python calls global and that lead to somebody's inside all the same: NAT64, 6to4, documentation.
_LEADING_INSIDE = tuple(
    ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/23")
)


class Forbidden(Exception):  # noqa: N818
    """An address that nobody may make us speak to, or an answer that we do not take."""


class Unreachable(Exception):  # noqa: N818
    """No answer, or none in time; trying later may help."""


class TooLarge(Exception):  # noqa: N818
    """More was sent than is taken."""


@dataclass(frozen=True)
class Answer:
    """`headers` have lower-case names; `url` is where the last redirect led."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def is_public(address: str) -> bool:
    """Whether an address is of the public internet; IPv4 within IPv6 is judged as IPv4."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found.is_site_local or any(found in network for network in _LEADING_INSIDE):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def checked(url: str, *, schemes: Iterable[str] = ("https",), private: bool = False) -> SplitResult:
    """The parts of a URL that may be asked. Raises Forbidden. `private` is for development: http and loopback too."""
    if len(url) > LONGEST_URL or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise Forbidden("an address is printable ASCII of at most 2,000 characters")
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        raise Forbidden("not an address") from None
    if parts.scheme not in ((*schemes, "http") if private else tuple(schemes)) or not parts.hostname:
        raise Forbidden(f"an address begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "@" in parts.netloc or "\\" in url:
        raise Forbidden("an address holds no user name and no backslash")
    if not private:
        _check_host(parts.hostname, port)
    return parts


def _check_host(host: str, port: int | None) -> None:
    if port is not None and port not in (80, 443) and port < WELL_KNOWN:
        raise Forbidden("ports are 80, 443 or above 1023")
    if _is_literal(host):
        if not is_public(host):
            raise Forbidden("not an address of the public internet")
    elif "." not in host.strip(".") or host.rstrip(".").endswith((".localhost", ".local", ".internal")):
        raise Forbidden("not a name of the public internet")


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


async def resolved(host: str, port: int) -> list[str]:
    """What the system's resolver says, oddly written addresses (0x7f.1, 2130706433) included."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Checking(httpcore.AsyncNetworkBackend):
    """Connects to an address that was checked, not to a name that would be asked again."""

    def __init__(self, resolve: Resolver, *, private: bool) -> None:
        self._resolve, self._private, self._network = resolve, private, httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(type(error).__name__) from None
        # One inner address among outer ones is an attempt, not a mistake: none of them is asked.
        if not self._private and not all(is_public(address) for address in addresses):
            raise Forbidden("the name leads to an address that is not of the public internet")
        failed: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error  # the name may have another address
        raise failed

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise Forbidden("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class Outside:
    """A client for named addresses. `private` lets it speak to loopback and http, for development and tests alone."""

    def __init__(
        self, *, private: bool = False, schemes: Iterable[str] = ("https",), total_s: float = 15.0,
        resolve: Resolver = resolved,
    ) -> None:  # fmt: skip
        self._private, self._schemes, self._total_s = private, tuple(schemes), total_s
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=64, max_keepalive_connections=16, keepalive_expiry=20.0,
            network_backend=_Checking(resolve, private=private),
        )  # fmt: skip

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None,
        most_bytes: int = 0, redirects: int = 0,
    ) -> Answer:  # fmt: skip
        """Raises Forbidden, TooLarge, Unreachable. At most `most_bytes` are read (0: the body is not read at all)."""
        try:
            async with asyncio.timeout(self._total_s):
                for _ in range(redirects + 1):
                    parts = checked(url, schemes=self._schemes, private=self._private)
                    answer = await self._once(method, url, parts, dict(headers or {}), body, most_bytes)
                    if answer.status not in REDIRECTS or "location" not in answer.headers or not redirects:
                        return answer
                    url = urljoin(url, answer.headers["location"])
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from None
        except (OSError, ValueError, httpcore.UnsupportedProtocol) as error:
            raise Unreachable(type(error).__name__) from None
        raise Forbidden("redirected too often")

    async def _once(
        self, method: str, url: str, parts: SplitResult, headers: dict[str, str], body: bytes | None, most_bytes: int
    ) -> Answer:
        wanted = {"Host": parts.netloc, "Accept-Encoding": "identity", "User-Agent": "gwangsan/1", **headers}
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), min(10.0, self._total_s))
        async with self._pool.stream(
            method, url, headers=list(wanted.items()), content=body, extensions={"timeout": timeouts}
        ) as response:
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if most_bytes and found.get("content-encoding", "identity").lower() != "identity":
                raise Forbidden("a compressed answer was not asked for")
            taken = bytearray()
            if most_bytes and response.status not in REDIRECTS:
                async for chunk in response.aiter_stream():
                    taken += chunk
                    if len(taken) > most_bytes:
                        raise TooLarge(f"more than {most_bytes:,} bytes")
            return Answer(response.status, found, bytes(taken), url)

    async def close(self) -> None:
        await self._pool.aclose()
