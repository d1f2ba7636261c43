"""What the benchmark of digests runs on: a stack, two filled databases, the processes that digests pass through."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, uuid5

import asyncpg
import httpx
import psutil

from deploy.local import ports
from shared.contracts import Watch
from shared.geo import district
from shared.messaging import topics
from tests.bench.mail_sink import counted
from tests.databases import Databases
from tests.issuer import AUDIENCE, Issuer
from tests.stacks import Addresses, open_stack
from tests.waiting import until

POSTINGS = [uuid5(NAMESPACE_URL, f"urn:gwangsan:bench:digest:{n}") for n in range(200)]
COMMANDS = {
    "matching": ["services.matching.app"], "inbox": ["services.matching.worker", "inbox"],
    "delivery": ["services.delivery.app"],
}  # fmt: skip
_WATCHES = """
    INSERT INTO watch (citizen_id, version, settings, changed_at)
    SELECT 'r' || n, 1, $2::jsonb || jsonb_build_object('citizen_id', 'r' || n), now() FROM generate_series(1, $1) n
"""
_POSTINGS = """
    INSERT INTO posting (id, version, status, headline, expires_at, shows, link, institution, channel, topics)
    SELECT id, 1, 'open', '수완동 소식 ' || nth, $2, '{}', '/api/notices/notices/' || id, '수완동 행정복지센터', '수완동', '{}'
    FROM unnest($1::uuid[]) WITH ORDINALITY AS p(id, nth)
"""
_ITEMS = """
    INSERT INTO inbox_item (id, citizen_id, posting_id, posting_version, urgency_epoch, urgent, kind, institution, headline, expires_at,
        shows, link, why, state, made_at, made_of_version, overflowed_at)
    SELECT md5(n || ' ' || nth)::uuid, 'r' || n, p.id, 1, 0, false, 'notice', p.institution, p.headline, p.expires_at, p.shows, p.link,
        '{"cause": "posting_changed", "rule": "home_dong", "watch_version": 1}', 'digest', $3, 1, $3
    FROM generate_series(1, $1) n CROSS JOIN generate_series(1, $4) nth
    JOIN unnest($2::uuid[]) WITH ORDINALITY AS known(id, at) ON at = (n + nth * 7) % 200 + 1
    JOIN posting p ON p.id = known.id
"""
_CITIZENS = """
    INSERT INTO citizen (citizen_id, watch_version, consent_epoch, since_version, located, paused, kinds, muted_channels, muted_topics,
        muted_postings, digest_hour)
    SELECT 'r' || n, 1, 0, 1, false, false, '{job,space,notice}', '{}', '{}', '{}', $2 FROM generate_series(1, $1) n
"""
_TARGETS = """
    INSERT INTO target (id, citizen_id, channel, address, state, created_at, active_since)
    SELECT gen_random_uuid(), 'r' || n, 'mail', 'r' || n || '@example.com', 'active', $2, $2 FROM generate_series(1, $1) n
"""
_KNOWN_POSTINGS = """
    INSERT INTO posting (id, version, urgency_epoch, status, headline, expires_at, link, channel, topics)
    SELECT id, 1, 0, 'open', '수완동 소식 ' || nth, $2, '/api/notices/notices/' || id, '수완동', '{}'
    FROM unnest($1::uuid[]) WITH ORDINALITY AS p(id, nth)
"""
# Alerts that were known during the day, for those who take digests alone.
_GATHERED = """
    WITH opened AS (INSERT INTO letter (target_id, channel, due_at, state) SELECT id, 'mail', $1, 'gathering' FROM target
        RETURNING id, target_id)
    INSERT INTO delivery (alert_id, target_id, citizen_id, channel, posting_id, posting_version, urgency_epoch, kind, urgent, emergency,
        located, watch_version, content, expires_at, digest, wanted_at, state, letter_id)
    SELECT md5(n || ' ' || nth)::uuid, t.id, t.citizen_id, 'mail', p.id, 1, 0, 'notice', false, false, false, 1,
        jsonb_build_object('headline', p.headline, 'institution', '수완동 행정복지센터', 'distance_m', null, 'dong', null,
            'starts_at', null, 'ends_at', null, 'link', p.link, 'reminder', false),
        p.expires_at, true, $1 - interval '1 hour', 'gathered', o.id
    FROM target t JOIN opened o ON o.target_id = t.id CROSS JOIN LATERAL (SELECT substr(t.citizen_id, 2)::int AS n) named
    CROSS JOIN generate_series(1, $3) nth
    JOIN unnest($2::uuid[]) WITH ORDINALITY AS known(id, at) ON at = (n + nth * 7) % 200 + 1
    JOIN posting p ON p.id = known.id
"""


@dataclass
class Stage:
    """The running processes. The inbox worker is started by whoever measures."""

    kafka_url: str
    sink_port: int
    processes: dict[str, psutil.Process]
    children: list[subprocess.Popen[bytes]]
    environment: Mapping[str, str]
    servers: asyncpg.Connection

    def start(self, name: str, *command: str) -> int:
        """The port on which it tells how it is."""
        port = ports.pick(None, ())
        env = {**self.environment, "GWANGSAN_PORT": str(port)}
        child = subprocess.Popen([sys.executable, "-m", *command], env=env, stdout=subprocess.DEVNULL)
        self.children.append(child)
        self.processes[name] = psutil.Process(child.pid)
        return port

    def start_inbox(self) -> None:
        self.start("inbox", *COMMANDS["inbox"])

    def memory_mib(self) -> dict[str, int]:
        return {name: round(process.memory_info().rss / 2**20) for name, process in self.processes.items()}

    async def cpu_s(self) -> dict[str, float]:
        """Of our processes, and of PostgreSQL's servers that are alive now: for each database, for none, together."""
        own = {name: sum(process.cpu_times()[:2]) for name, process in self.processes.items()}
        servers = dict.fromkeys(("postgres_matching", "postgres_delivery", "postgres_itself"), 0.0)
        for row in await self.servers.fetch("SELECT pid, coalesce(datname, '') AS of FROM pg_stat_activity"):
            name = f"postgres_{row['of'].rpartition('_')[2] or 'itself'}"
            servers[name] = servers.get(name, 0.0) + sum(psutil.Process(row["pid"]).cpu_times()[:2])
        return own | servers | {"postgres": sum(servers.values())}


@asynccontextmanager
async def staged(
    citizens: int, items: int, struck: datetime, settles_s: float, *, gathered: bool
) -> AsyncIterator[Stage]:
    """Everybody's items overflowed an hour before `struck`, the hour of all digests; if `gathered`, delivery knows them."""
    with open_stack("embedded") as addresses:
        await topics.ensure(addresses.kafka_url)
        issuer, databases = Issuer(), Databases(addresses.postgres_url)
        urls = {name: (await databases.migrated(name)).replace("+asyncpg", "") for name in ("matching", "delivery")}
        await _fill_matching(urls["matching"], citizens, items, struck)
        await _fill_delivery(urls["delivery"], citizens, struck)
        if gathered:
            await _fill_letters(urls["delivery"], items, struck + timedelta(seconds=settles_s))
        servers, sink_port = await asyncpg.connect(urls["matching"]), ports.pick(None, ())
        environment = _environment(addresses, issuer, databases, sink_port, settles_s)
        stage = Stage(addresses.kafka_url, sink_port, {}, [], environment, servers)
        try:
            stage.start("sink", "tests.bench.mail_sink", str(sink_port))
            await until(lambda: _counts(sink_port), 30, what="the sink")
            for name in ("matching", "delivery"):
                port = stage.start(name, *COMMANDS[name])
                await until(partial(_ready, port), 60, what=name)
            yield stage
        finally:
            await servers.close()
            for child in stage.children:
                child.terminate()
            for child in stage.children:
                await asyncio.to_thread(child.wait, 40)
            issuer.stop()
            await databases.drop()


def _environment(
    addresses: Addresses, issuer: Issuer, databases: Databases, sink_port: int, settles_s: float
) -> dict[str, str]:
    return {
        **os.environ, "GWANGSAN_KAFKA_URL": addresses.kafka_url, "GWANGSAN_REDIS_URL": addresses.redis_url,
        "GWANGSAN_POSTGRES_URL": addresses.postgres_url, "GWANGSAN_DATABASE_PREFIX": databases.prefix,
        "GWANGSAN_OIDC_ISSUER": issuer.url, "GWANGSAN_OIDC_AUDIENCE": AUDIENCE, "GWANGSAN_LOG_LEVEL": "WARNING",
        "GWANGSAN_SMTP_HOST": "127.0.0.1", "GWANGSAN_SMTP_PORT": str(sink_port), "GWANGSAN_SMTP_TLS": "none",
        "GWANGSAN_DELIVERY_DIGEST_SETTLES_S": str(settles_s), "GWANGSAN_UNSUBSCRIBE_KEY": "one-key-for-all-processes",
    }  # fmt: skip


async def _fill_matching(url: str, citizens: int, items: int, struck: datetime) -> None:
    hour, expires_at = struck.hour, datetime.now(UTC) + timedelta(days=7)
    watch = Watch(
        citizen_id="-", version=1, consent_epoch=0, located=False, home_dongs=(district().dongs[5].code,),
        digest_hour=hour, changed_at=struck - timedelta(days=9),
    )  # fmt: skip
    settings = watch.model_dump_json(exclude={"version", "changed_at"})
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_WATCHES, citizens, settings)
        await connection.execute(_POSTINGS, POSTINGS, expires_at)
        await connection.execute(_ITEMS, citizens, POSTINGS, struck - timedelta(hours=1), items)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _fill_delivery(url: str, citizens: int, struck: datetime) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_CITIZENS, citizens, struck.hour)
        await connection.execute(_TARGETS, citizens, struck - timedelta(days=9))
        await connection.execute(_KNOWN_POSTINGS, POSTINGS, datetime.now(UTC) + timedelta(days=7))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _fill_letters(url: str, items: int, due_at: datetime) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_GATHERED, due_at, POSTINGS, items)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _counts(port: int) -> bool:
    try:
        return bool((await counted(port))["letters"] == 0)
    except OSError:
        return False


async def _ready(port: int) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False
