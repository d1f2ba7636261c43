"""PostgreSQL: one engine per process, explicit transactions, migrations owned by each service."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import asyncpg
import msgspec
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.settings import PlatformSettings


class Database:
    """A pool of connections to one service's database."""

    def __init__(self, url: str, *, pool_size: int = 10, seq_scans: bool = True) -> None:
        """`seq_scans`: whether a statement may read a whole table where an index would do. Not for tables that fill within
        a minute: their plans are kept from when they were empty."""
        self.url = url
        # No ping before use: it costs as much as the statement. After a restart of the server one request finds its
        # connection gone, is answered 503 with Retry-After, and the pool drops all that it held.
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            json_deserializer=msgspec.json.decode,
            connect_args={
                "timeout": 10,
                "command_timeout": 30,
                "server_settings": {} if seq_scans else {"enable_seqscan": "off"},
            },
        )
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commits on leaving, rolls back on an error. Nobody else commits."""
        async with self.engine.begin() as tx:
            yield tx

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """For one statement that is its own transaction: a third of the round trips."""
        async with self._autocommit.connect() as connection:
            yield connection

    async def ping(self) -> None:
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def answers(self) -> str | None:
        """A readiness check: raises where the server is away."""
        await self.ping()
        return None

    async def close(self) -> None:
        await self.engine.dispose()


async def create_if_missing(url: str) -> None:
    """Create the database named in `url` if the server lacks it. Safe when two processes try at once."""
    wanted = make_url(url)
    server = wanted.set(drivername="postgresql", database="postgres")
    connection = await asyncpg.connect(server.render_as_string(hide_password=False), timeout=10)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", wanted.database):
            try:
                await connection.execute(f'CREATE DATABASE "{wanted.database}"')
            except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                return
    finally:
        await connection.close()


def migrate(service: str, url: str) -> None:
    """Bring one service's schema to its newest migration. An advisory lock lets only one process do so at a time."""
    from alembic import command  # only here: no service needs it while it serves
    from alembic.config import Config

    asyncio.run(create_if_missing(url))
    config = Config()
    config.set_main_option("script_location", str(files(f"services.{service}.migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    command.upgrade(config, "head")


def main(arguments: list[str]) -> int:
    """`python -m shared.database migrate SERVICE...`"""
    if len(arguments) < 2 or arguments[0] != "migrate":
        sys.stderr.write("usage: python -m shared.database migrate SERVICE...\n")
        return 2
    settings = PlatformSettings()
    for service in arguments[1:]:
        migrate(service, settings.database_url(service))
        sys.stdout.write(f"migrated {service}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
