"""Nobody can make us speak to our own network: by address, by name, by redirect, by a name that changes its mind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.outside import Forbidden, Outside, TooLarge, Unreachable, checked, is_public

INSIDE = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd12::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "2001::1", "not an address", "",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "211.34.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "2400:cb00::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_of_the_public_internet_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_of_it_too(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example.com/x", "ftp://example.com", "file:///etc/passwd", "https://", "https://localhost/x", "https://intranet/x",
        "https://redis:6379/", "https://a.localhost/", "https://printer.local/", "https://user@example.com/", "https://example.com:22/",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest/meta-data",
        "https://example.com\\@127.0.0.1/", "https://예시.한국/", "https://example.com/\n", "https://example.com:99999/", "gopher://x.y/",
        "https://example.com/" + "a" * 2_000, "",
    ],
)  # fmt: skip
def test_addresses_that_are_none_of_ours_are_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(Forbidden):
        checked(url)


def test_good_addresses_pass() -> None:
    assert checked("https://fcm.googleapis.com/fcm/send/abc").hostname == "fcm.googleapis.com"
    assert checked("http://example.com:8080/rss", schemes=("https", "http")).port == 8080
    assert checked("http://127.0.0.1:9/x", private=True).port == 9


class Peer:
    """An HTTP server on loopback that says what the path asks for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).decode().split(" ")[1]
        while (await reader.readline()).strip():
            self.asked.append(path)
        said = {
            "/hop": b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n",
            "/loop": b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
            "/inside": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
            "/packed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
            "/garbage": b"SSH-2.0-OpenSSH_9.0\r\n",
        }.get(path, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        if path == "/endless":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            said = b"x" * 200_000
        if path != "/silent":
            writer.write(said)
            await writer.drain()
            writer.close()


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def test_a_name_that_leads_inside_is_not_followed(peer: Peer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    outside = Outside(schemes=("http",), resolve=resolve)
    with pytest.raises(Forbidden):
        await outside.ask("GET", f"http://harmless.example.com:{peer.port}/")
    assert peer.asked == [], "one inner address among outer ones is enough to refuse"
    await outside.close()


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(peer: Peer) -> None:
    answers = iter([["1.1.1.1"], ["127.0.0.1"]])
    asked = 0

    async def resolve(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return next(answers)

    outside = Outside(schemes=("http",), resolve=resolve, total_s=0.3)
    with pytest.raises(Unreachable):
        await outside.ask(
            "GET", f"http://rebinding.example.com:{peer.port}/"
        )  # goes to 1.1.1.1, where nobody of ours is
    assert (asked, peer.asked) == (1, []), "the name is asked once, and the answer that was checked is used"
    with pytest.raises(Forbidden):
        await outside.ask("GET", f"http://rebinding.example.com:{peer.port}/")
    assert peer.asked == []
    await outside.close()


async def test_redirects_are_checked_anew_and_come_to_an_end(peer: Peer) -> None:
    outside, base = Outside(private=True, total_s=5), f"http://127.0.0.1:{peer.port}"
    assert (await outside.ask("GET", f"{base}/hop", most_bytes=10, redirects=3)).url == f"{base}/end"
    assert (await outside.ask("GET", f"{base}/hop")).status == 302, "unless they are wanted they are not followed"
    for path in ("/inside", "/loop"):
        with pytest.raises(Forbidden):
            await outside.ask("GET", base + path, redirects=3)
    await outside.close()


async def test_what_is_too_large_packed_garbage_or_silent_ends(peer: Peer) -> None:
    outside, base = Outside(private=True, total_s=0.5), f"http://127.0.0.1:{peer.port}"
    with pytest.raises(TooLarge):
        await outside.ask("GET", f"{base}/endless", most_bytes=100_000)
    with pytest.raises(Forbidden):
        await outside.ask("GET", f"{base}/packed", most_bytes=100)
    for path in ("/garbage", "/silent"):
        with pytest.raises(Unreachable):
            await outside.ask("GET", base + path, most_bytes=100)
    assert (await outside.ask("GET", f"{base}/", most_bytes=5)).body == b"hello"
    await outside.close()
