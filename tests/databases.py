"""Databases of a test module's own, on the shared server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.database import create_if_missing, migrate
from shared.messaging.tables import PLATFORM_TABLES
from shared.settings import PlatformSettings


@dataclass
class Databases:
    """Every database made here begins with `prefix` (the setting `database_prefix`) and is dropped in the end."""

    postgres_url: str
    prefix: str = field(default_factory=lambda: f"t{uuid4().hex[:10]}_")

    def url(self, name: str) -> str:
        return PlatformSettings(postgres_url=self.postgres_url, database_prefix=self.prefix).database_url(name)

    async def platform(self, name: str = "platform") -> str:
        """A database with the platform's own tables alone. Returns its URL."""
        await create_if_missing(self.url(name))
        engine = create_async_engine(self.url(name))
        async with engine.begin() as tx:
            if not (await tx.execute(text("SELECT to_regclass('outbox')"))).scalar():
                for statement in PLATFORM_TABLES:
                    await tx.execute(text(statement))
        await engine.dispose()
        return self.url(name)

    async def migrated(self, service: str) -> str:
        """A database at the newest migration of a service. Returns its URL."""
        await asyncio.to_thread(migrate, service, self.url(service))
        return self.url(service)

    async def drop(self) -> None:
        server = await asyncpg.connect(f"{self.postgres_url}/postgres")
        try:
            names = await server.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", self.prefix)
            for row in names:
                await server.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')
        finally:
            await server.close()
