"""Digests of everybody at one hour: until the last one is in Kafka, and until the last mail is at the relay.

    ./dev bench digests [--citizens 100000] [--items 3] [--settles 20] [--gathered] [--json OUT]

Everybody lives in the district, consents to no location, and has so many alerts beyond the day's budget; everybody has one
confirmed mailbox and takes digests daily at the hour. Matching's API (its relay), the inbox worker, delivery and the mail
relay are processes of their own on a stack of their own: all share the machine. The hour strikes when the inbox worker is
started, so its start counts. Mail goes out `settles` seconds after the hour, as in the product. With `--gathered` delivery knew all
alerts before the hour, as it does where everybody takes digests alone: what is over the budget is then nothing new to it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.clock import SEOUL
from shared.contracts.digest import DIGESTS
from shared.messaging import kafka
from tests.bench.digests_stage import Stage, staged
from tests.bench.mail_sink import counted

SOUGHT_S = 60.0
LOOK_EVERY_S = 0.25
PATIENCE_S = 240.0


class Heard:
    """The digests on the topic: of whom, and when the first and the last new one came."""

    def __init__(self) -> None:
        self.citizens: set[bytes] = set()
        self.records, self.first_at, self.last_at = 0, 0.0, 0.0

    async def listen(self, kafka_url: str) -> None:
        consumer = kafka.consumer(kafka_url, group=None, max_records=5_000)
        await consumer.start()
        consumer.subscribe([DIGESTS.name])
        try:
            while True:
                batches = await consumer.getmany(timeout_ms=100)
                self._count([record.key for records in batches.values() for record in records])
        finally:
            await consumer.stop()

    def _count(self, keys: list[bytes]) -> None:
        before = len(self.citizens)
        self.records += len(keys)
        self.citizens.update(keys)
        if len(self.citizens) > before:
            self.last_at = time.time()
            self.first_at = self.first_at or self.last_at


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    planned_at = time.time() + 45.0  # when the hour strikes: the others are up and idle by then
    local = datetime.fromtimestamp(planned_at, SEOUL)
    struck = local.replace(minute=0, second=0, microsecond=0)
    settles_s = (local - struck).total_seconds() + options.settles
    async with staged(options.citizens, options.items, struck, settles_s, gathered=options.gathered) as stage:
        heard = Heard()
        listening = asyncio.create_task(heard.listen(stage.kafka_url))
        began_at = max(planned_at, time.time())
        await asyncio.sleep(began_at - time.time())
        try:
            return await _one_hour(stage, heard, options, began_at)
        finally:
            listening.cancel()


async def _one_hour(stage: Stage, heard: Heard, options: argparse.Namespace, began_at: float) -> dict[str, Any]:
    count, cpu = options.citizens, await stage.cpu_s()
    stage.start_inbox()
    before, peak, in_kafka_cpu, mails = stage.memory_mib(), dict[str, int](), None, dict[str, Any]()
    while time.time() - began_at < PATIENCE_S and mails.get("letters", 0) < count:
        await asyncio.sleep(LOOK_EVERY_S)
        mails = await counted(stage.sink_port)
        peak = {name: max(peak.get(name, 0), now) for name, now in stage.memory_mib().items()}
        _progress(began_at, len(heard.citizens), mails["letters"])
        if in_kafka_cpu is None and len(heard.citizens) >= count:
            in_kafka_cpu = _used(cpu, await stage.cpu_s())
    last_s, due_s = mails["last_at"] - began_at, float(options.settles)
    return {
        "citizens": count, "items_each": options.items, "gathered": options.gathered,
        "digests": {
            "in_kafka": len(heard.citizens), "records": heard.records, "first_s": _s(heard.first_at - began_at),
            "last_s": _s(heard.last_at - began_at), "cpu_s": in_kafka_cpu,
        },
        "mail": {
            "letters": mails["letters"], "addressees": mails["addressees"], "message_ids": mails["ids"],
            "connections": mails["connections"], "due_s": due_s, "first_s": _s(mails["first_at"] - began_at),
            "last_s": _s(last_s), "after_due_s": _s(last_s - due_s), "per_s": round(count / max(0.1, last_s - due_s)),
        },
        "cpu_s": _used(cpu, await stage.cpu_s()), "memory_mib": {"before": before, "peak": peak, "after": stage.memory_mib()},
    }  # fmt: skip


def _progress(began_at: float, digests: int, letters: int) -> None:
    sys.stderr.write(
        f"\r{time.time() - began_at:6.1f} s  {digests:>7} digests in Kafka  {letters:>7} letters at the relay "
    )


def _used(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    return {name: round(seconds - before.get(name, 0), 1) for name, seconds in now.items()}


def _s(seconds: float) -> float:
    return round(seconds, 1)


def held(figures: dict[str, Any]) -> dict[str, bool]:
    """Everybody's digest in Kafka within the time, everybody's mail sent once and within the time of being due."""
    digests, mail, count = figures["digests"], figures["mail"], figures["citizens"]
    made = digests["in_kafka"] == digests["records"] == count and digests["last_s"] < SOUGHT_S
    once = mail["letters"] == mail["addressees"] == mail["message_ids"] == count
    within = {name: once and mail[name] < SOUGHT_S for name in ("after_due_s", "last_s")}
    return {
        "held_digests": made, "held_mails": within["after_due_s"], "held_mails_of_the_hour": within["last_s"],
        "held": made and within["after_due_s"],
    }  # fmt: skip


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench digests", description=__doc__)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=3)
    parser.add_argument("--settles", type=float, default=20.0)
    parser.add_argument("--gathered", action="store_true")
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    figures = asyncio.run(measured(options))
    figures |= {
        "load_1_min": round(os.getloadavg()[0], 1),
        "at": datetime.now(SEOUL).isoformat(timespec="minutes"),
        "sought_s": SOUGHT_S,
        **held(figures),
    }
    told = json.dumps(figures, ensure_ascii=False, indent=2)
    sys.stdout.write(told + "\n")
    if options.json:
        Path(options.json).write_text(told + "\n", encoding="utf-8")
    return 0 if figures["held"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
