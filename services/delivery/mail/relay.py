"""One kept connection to the mail relay: aiosmtplib opens it (TLS, login), the letters go through here.

Commands of a letter go out together where the relay takes that (PIPELINING, RFC 2920): two waits for it instead of four.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

import aiosmtplib

from services.delivery.settings import Settings

PATIENCE_S = 20.0
LONGEST_REPLY = 65_536
GO_ON, CLOSING = 354, 421


@dataclass(frozen=True)
class Reply:
    """What became of a letter: the relay's code, and whether it was said to its addressee rather than to the letter."""

    code: int
    to_addressee: bool = False


class Hung(Exception):  # noqa: N818
    """The relay hung up, or says that it is about to."""


class Dialogue(asyncio.Protocol):
    """Replies come in the order of the commands."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport, self._rest, self.ended = transport, b"", False
        self._asked: deque[asyncio.Future[int]] = deque()

    async def ask(self, *commands: bytes) -> list[int]:
        """The codes that are answered. Raises Hung."""
        if self.ended:
            raise Hung
        waiting = [asyncio.get_running_loop().create_future() for _ in commands]
        self._asked.extend(waiting)
        self._transport.write(b"".join(commands))
        codes = [await reply for reply in waiting]
        if CLOSING in codes:
            raise Hung
        return codes

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self._replied(line)
        if len(self._rest) > LONGEST_REPLY:
            self._end()

    def _replied(self, line: bytes) -> None:
        """What nobody asked for, or is no reply, is the end: whatever came after it would be taken for something else."""
        if not self._asked or not line[:3].isdigit():
            self._end()
        elif not (reply := self._asked.popleft()).done():
            reply.set_result(int(line[:3]))

    def connection_lost(self, _: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        self.ended = True
        self._transport.close()
        while self._asked:
            if not (reply := self._asked.popleft()).done():
                reply.set_exception(Hung())
                reply.exception()  # of several only the first is waited for


class Relay:
    """Opened when first needed. One letter at a time; the caller sees to that, and to time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None
        self._dialogue: Dialogue | None = None
        self._together = False

    async def post(self, sender: str, to: str, letter: bytes) -> Reply:
        """The reply that decided. Raises Hung, OSError or aiosmtplib's errors where there is no relay."""
        dialogue = self._dialogue if self._dialogue and not self._dialogue.ended else await self._open()
        opening = (b"MAIL FROM:<%b>\r\n" % sender.encode(), b"RCPT TO:<%b>\r\n" % to.encode(), b"DATA\r\n")
        codes = await self._in_turn(dialogue, opening)
        if codes[-1] == GO_ON and len(codes) == len(opening):
            refused = _refused(codes[:2])
            # Asked for data in spite of having refused: RFC 2920 §3.1 has us send none.
            (code,) = await dialogue.ask(b".\r\n" if refused else letter.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            if refused is None and code < 400:
                return Reply(code)
        else:
            refused, code = _refused(codes[:2]), codes[-1]
        await dialogue.ask(b"RSET\r\n")
        return refused or Reply(code)

    async def _in_turn(self, dialogue: Dialogue, commands: tuple[bytes, ...]) -> list[int]:
        if self._together:
            return await dialogue.ask(*commands)
        codes: list[int] = []
        for command in commands:
            codes += await dialogue.ask(command)
            if codes[-1] >= 400:
                break
        return codes

    async def _open(self) -> Dialogue:
        settings = self._settings
        self.hang_up()
        client = self._client = aiosmtplib.SMTP(
            hostname=settings.smtp_host, port=settings.smtp_port, timeout=PATIENCE_S, use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls", username=settings.smtp_username, password=settings.smtp_password,
        )  # fmt: skip
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        self._together = client.supports_extension("pipelining")
        transport: Any = client.transport
        self._dialogue = Dialogue(transport)
        transport.set_protocol(self._dialogue)
        return self._dialogue

    def hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._dialogue = None

    async def close(self) -> None:
        """Leaves politely. Raises what `post` raises."""
        if self._dialogue is not None and not self._dialogue.ended:
            await self._dialogue.ask(b"QUIT\r\n")
        self.hang_up()


def _refused(codes: list[int]) -> Reply | None:
    """To MAIL and RCPT."""
    for code, to_addressee in zip(codes, (False, True), strict=False):
        if code >= 400:
            return Reply(code, to_addressee)
    return None
