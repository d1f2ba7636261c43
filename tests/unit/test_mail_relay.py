"""The conversation with a mail relay on a real socket: commands together or one by one, and every way to be refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.delivery.mail.relay import Hung, Relay, Reply
from services.delivery.settings import Settings

LETTER = b"Subject: a\r\n\r\n.first\r\nlast\r\n"
TAKEN = Reply(250)


class Script:
    """A relay that answers as told, by the first word of each line; OK unless told otherwise."""

    def __init__(self, *, together: bool, **answers: str) -> None:
        self.answers = {"DATA": "354 go on", **answers}
        self.greeting = "250-here\r\n250 PIPELINING" if together else "250 here"
        self.lines: list[str] = []
        self.letters: list[bytes] = []
        self.connections = 0
        self.conversations: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.conversations.append(task)
        writer.write(b"220 hello\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0]
            self.lines.append(line)
            answer = self.greeting if verb == "EHLO" else self.answers.get(verb, "250 OK")
            writer.write(f"{answer}\r\n".encode())
            if verb == "DATA" and answer.startswith("354"):
                self.letters.append(await self._letter(reader))
                writer.write(f"{self.answers.get('.', '250 taken')}\r\n".encode())
            if answer.startswith("421") or verb == "QUIT":
                break
        writer.close()

    async def _letter(self, reader: asyncio.StreamReader) -> bytes:
        found = b""
        while not found.endswith(b"\r\n.\r\n") and found != b".\r\n":
            found += await reader.readline()
        return found


@asynccontextmanager
async def talking_to(script: Script) -> AsyncIterator[Relay]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    relay = Relay(Settings(smtp_host="127.0.0.1", smtp_port=server.sockets[0].getsockname()[1], smtp_tls="none"))
    try:
        yield relay
    finally:
        relay.hang_up()
        server.close()
        await asyncio.gather(*script.conversations)


async def send(relay: Relay, to: str = "a@b.kr") -> Reply:
    async with asyncio.timeout(10):
        return await relay.post("us@c.kr", to, LETTER)


@pytest.mark.parametrize("together", [True, False])
async def test_letters_go_over_one_connection_with_their_dots_kept(together: bool) -> None:
    script = Script(together=together)
    async with talking_to(script) as relay:
        assert [await send(relay), await send(relay, "d@e.kr")] == [TAKEN, TAKEN]
        await relay.close()
    assert script.connections == 1
    assert script.letters == [b"Subject: a\r\n\r\n..first\r\nlast\r\n.\r\n"] * 2
    assert [line for line in script.lines if line.startswith("RCPT")] == ["RCPT TO:<a@b.kr>", "RCPT TO:<d@e.kr>"]
    assert script.lines[-1] == "QUIT"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("answers", "reply"),
    [
        ({"RCPT": "550 5.1.1 nobody", "DATA": "503 no recipient"}, Reply(550, to_addressee=True)),
        ({"RCPT": "452 4.2.2 full", "DATA": "503 no recipient"}, Reply(452, to_addressee=True)),
        ({"RCPT": "550 nobody"}, Reply(550, to_addressee=True)),  # and asks for the letter all the same
        ({"MAIL": "550 not from you", "RCPT": "503 first MAIL", "DATA": "503 first RCPT"}, Reply(550)),
        ({"DATA": "451 later"}, Reply(451)),
        ({".": "554 spam"}, Reply(554)),
        ({".": "452 disk full"}, Reply(452)),
    ],
)
async def test_what_is_refused_is_told_and_the_next_letter_goes_on(
    together: bool, answers: dict[str, str], reply: Reply
) -> None:
    script = Script(together=together, **answers)
    async with talking_to(script) as relay:
        assert await send(relay) == reply
        script.answers = {"DATA": "354 go on"}
        assert await send(relay) == TAKEN
    assert (script.connections, script.lines.count("RSET")) == (1, 1)
    assert [letter for letter in script.letters if b"first" not in letter] in ([], [b".\r\n"]), "nothing to the refused"


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_a_relay_that_closes_is_left_and_opened_anew(verb: str) -> None:
    script = Script(together=True, **{verb: "421 closing"})
    async with talking_to(script) as relay:
        with pytest.raises(Hung):
            await send(relay)
        relay.hang_up()
        script.answers = {"DATA": "354 go on"}
        assert await send(relay) == TAKEN
    assert script.connections == 2


async def test_a_relay_that_answers_what_nobody_asked_is_left() -> None:
    script = Script(together=True, RCPT="550 nobody", RSET="250 OK\r\n250 and another")
    async with talking_to(script) as relay:
        replies = [await send(relay) for _ in range(2)]
    assert replies == [Reply(550, to_addressee=True)] * 2, "the answer too many was not taken for the next one's"
    assert script.connections == 2
