"""`python -m shared.messaging.dead_letters_cli`: look at what could not be handled, and replay or drop it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from shared.messaging import dead_letters
from shared.messaging.dead_letters import DeadLetter, NotReplayable
from shared.settings import PlatformSettings

BODY_SHOWN = 2_000

app = typer.Typer(
    name="dead-letters",
    help="처리하지 못한 사건을 보고, 다시 보내거나 버립니다. Show, replay or drop what no handler could take.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
As_json = Annotated[bool, typer.Option("--json", help="JSON으로 출력 / print JSON")]
Ids = Annotated[list[str] | None, typer.Argument(help="list가 보여 주는 ID들 / ids as list shows them")]
All = Annotated[bool, typer.Option("--all", help="모두 / every one")]
Of_group = Annotated[str | None, typer.Option("--group", help="이 소비자 그룹만 / only of this consumer group")]
Act = Callable[[AIOKafkaProducer, DeadLetter], Awaitable[None]]


def _told(letter: DeadLetter) -> dict[str, Any]:
    """For JSON. Of a private topic there is nothing more than where and why."""
    told = asdict(letter)
    told["key"] = None if letter.key is None else letter.key.decode(errors="replace")
    told["value"] = None if letter.value is None else letter.value.decode(errors="replace")
    told["headers"] = {name: value.decode(errors="replace") for name, value in letter.headers}
    return told


def _read(group: str | None = None) -> list[DeadLetter]:
    async def read() -> list[DeadLetter]:
        letters = dead_letters.read_all(PlatformSettings().kafka_url)
        return [letter async for letter in letters if group in (None, letter.group)]

    found: list[DeadLetter] = _asked(read())
    return found


def _asked(question: Any) -> Any:
    """The broker's answer, or one clear line."""
    try:
        return asyncio.run(question)
    except (KafkaError, OSError) as error:
        where = PlatformSettings().kafka_url
        sys.stderr.write(f"{where}의 Kafka에 닿지 않습니다. Kafka at {where} does not answer: {type(error).__name__}\n")
        raise typer.Exit(1) from None


@app.command("list")
def list_letters(group: Of_group = None, as_json: As_json = False) -> None:
    """목록을 봅니다. List them, oldest first."""
    letters = _read(group)
    if as_json:
        sys.stdout.write(json.dumps([_told(letter) for letter in letters], ensure_ascii=False, indent=1) + "\n")
        return
    if not letters:
        sys.stdout.write("처리하지 못한 사건이 없습니다. No dead letters.\n")
        return
    table = Table("ID", "언제 failed at", "시도 tries", "이유 reason", title=f"{len(letters)} dead letters")
    for letter in letters:
        table.add_row(letter.id, letter.failed_at[:19], str(letter.attempts), f"{letter.error}: {letter.reason[:160]}")
    Console().print(table, markup=False)


@app.command()
def show(letter_id: Annotated[str, typer.Argument(metavar="ID")], as_json: As_json = False) -> None:
    """하나를 자세히 봅니다. Show one whole."""
    (letter,) = _chosen([letter_id], every=False)
    told = _told(letter)
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        return
    body = told.pop("value")
    for name, value in told.items():
        sys.stdout.write(f"{name:10} {value}\n")
    if letter.private:
        sys.stdout.write("본문 없음: 위치가 담긴 토픽입니다. No body: this topic carries positions.\n")
    else:
        sys.stdout.write(f"\n{(body or '')[:BODY_SHOWN]}\n")


@app.command()
def replay(ids: Ids = None, every: All = False, group: Of_group = None) -> None:
    """같은 소비자에게 다시 보냅니다. Send again, to the group that gave it up alone."""
    _each(_chosen(ids, every=every, group=group), dead_letters.replay, "다시 보냈습니다 replayed")


@app.command()
def drop(ids: Ids = None, every: All = False, group: Of_group = None) -> None:
    """영영 버립니다. Forget for good."""
    _each(_chosen(ids, every=every, group=group), dead_letters.drop, "버렸습니다 dropped")


def _chosen(ids: list[str] | None, *, every: bool, group: str | None = None) -> list[DeadLetter]:
    """The letters named, or all of them if that was said."""
    if not ids and not every:
        raise typer.BadParameter("ID를 적거나 --all을 쓰세요. Name ids, or say --all.")
    letters = {letter.id: letter for letter in _read(group)}
    if every:
        return list(letters.values())
    unknown = [identity for identity in ids or [] if identity not in letters]
    if unknown:
        sys.stderr.write(f"그런 ID가 없습니다. No such dead letter: {', '.join(unknown)}\n")
        raise typer.Exit(1)
    return [letters[identity] for identity in ids or []]


def _each(letters: list[DeadLetter], act: Act, done: str) -> None:
    async def all_of_them() -> int:
        refused = 0
        producer = dead_letters.producer(PlatformSettings().kafka_url, client_id="dead-letters-cli")
        await producer.start()
        try:
            for letter in letters:
                try:
                    await act(producer, letter)
                    sys.stdout.write(f"{done}: {letter.id}\n")
                except NotReplayable as error:
                    refused += 1
                    sys.stderr.write(f"다시 보낼 수 없습니다. Not replayable: {letter.id}: {error}\n")
        finally:
            await producer.stop()
        return refused

    if not letters:
        sys.stdout.write("처리하지 못한 사건이 없습니다. No dead letters.\n")
    elif _asked(all_of_them()):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
