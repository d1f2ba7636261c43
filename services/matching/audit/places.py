"""Everything that the platform stores, as bytes with the place they are at: Redis, PostgreSQL, Kafka, the logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from redis.asyncio import Redis

from services.matching.engine import replay
from shared.messaging import kafka
from shared.redis import connect
from shared.settings import PlatformSettings

log = structlog.get_logger()

DATABASES = ("jobs", "spaces", "notices", "matching")
ROWS = 1_000
Stored = tuple[str, bytes]


async def of_redis(settings: PlatformSettings) -> AsyncIterator[Stored]:
    """Every key, whatever its type; of a hash each field by itself, so that one citizen is not taken for another."""
    redis = connect(settings.redis_url)
    try:
        async for key in redis.scan_iter(count=ROWS):
            async for part in _parts_of(redis, key):
                yield _printable(key), key + b"\n" + part
    finally:
        await redis.aclose()


async def _parts_of(redis: Redis, key: bytes) -> AsyncIterator[bytes]:
    kind = _printable(_bytes(await redis.type(key)))
    commands: dict[str, tuple[Any, ...]] = {
        "string": ("GET", key), "list": ("LRANGE", key, 0, -1), "set": ("SMEMBERS", key), "hash": ("HGETALL", key),
        "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"), "stream": ("XRANGE", key, "-", "+"),
    }  # fmt: skip
    if kind not in commands:
        yield b""
        return
    told: Any = await redis.execute_command(*commands[kind])  # type: ignore[no-untyped-call]
    pairs = told.items() if isinstance(told, dict) else [(b"", part) for part in _listed(told)]
    for name, value in pairs:
        yield _bytes(name) + b"\n" + _bytes(value)


def _listed(told: Any) -> list[Any]:
    return list(told) if isinstance(told, list | set | tuple) else [told]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _printable(key: bytes) -> str:
    return key.decode(errors="replace")


async def of_postgres(settings: PlatformSettings) -> AsyncIterator[Stored]:
    """Every row of every table of the four databases that exist; each as one piece, its binary columns as they are."""
    for name in DATABASES:
        dsn = settings.database_url(name).replace("+asyncpg", "")
        try:
            connection = await asyncpg.connect(dsn, timeout=10)
        except asyncpg.InvalidCatalogNameError:
            log.warning("database_absent", database=name)
            continue
        try:
            tables = await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            )
            for table in tables:
                async for row in _rows(connection, table["name"]):
                    yield f"{name}:{table['name']}", row
        finally:
            await connection.close()


async def _rows(connection: asyncpg.Connection, table: str) -> AsyncIterator[bytes]:
    async with connection.transaction(readonly=True):
        async for row in connection.cursor(f"SELECT * FROM {table}", prefetch=ROWS):  # noqa: S608 - quoted by format()
            yield b"\n".join(_bytes(value) for value in row.values())


async def of_kafka(settings: PlatformSettings) -> AsyncIterator[Stored]:
    """Every record that can still be read of every topic, declared or not, with its key and headers."""
    partitions = await _partitions(settings.kafka_url)
    consumer = kafka.consumer(settings.kafka_url, group=None, max_records=ROWS)
    consumer.assign(partitions)
    await consumer.start()
    try:
        async for record in replay.to_end(consumer, partitions):
            yield f"{record.topic}/{record.partition}/{record.offset}", _whole(record)
    finally:
        await consumer.stop()


async def _partitions(kafka_url: str) -> list[TopicPartition]:
    admin = kafka.admin(kafka_url)
    await admin.start()
    try:
        names = sorted(name for name in await admin.list_topics() if not name.startswith("__"))
        described = await admin.describe_topics(names)
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], p["partition"]) for topic in described for p in topic["partitions"]]


def _whole(record: ConsumerRecord) -> bytes:
    headers = [name.encode() + b"=" + (value or b"") for name, value in record.headers]
    return b"\n".join([record.key or b"", record.value or b"", *headers])


def of_logs(folder: Path) -> Iterator[Stored]:
    """Every line of every file below the folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    yield f"{path.relative_to(folder)}:{number}", line


def addresses(settings: PlatformSettings) -> str:
    """What is searched, for the report: hosts without credentials."""
    urls = map(urlsplit, (settings.redis_url, settings.postgres_url))
    return ", ".join([*(f"{url.scheme}://{url.netloc.rpartition('@')[2]}" for url in urls), settings.kafka_url])
