"""`python -m deploy.republish`: everything that holds now is published anew, where Kafka's data was lost (docs/operations.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import typer

from services.jobs import republish as jobs
from services.jobs.settings import Settings as JobsSettings
from services.matching import republish as matching
from services.matching.settings import Settings as MatchingSettings
from services.notices import republish as notices
from services.notices.settings import Settings as NoticesSettings
from services.spaces import republish as spaces
from services.spaces.settings import Settings as SpacesSettings
from shared.clock import utc_now
from shared.database import Database
from shared.republish import Pages, republish

SERVICES: dict[str, tuple[Callable[[], Any], Callable[[Any], dict[str, Pages]]]] = {
    "jobs": (JobsSettings, jobs.everything),
    "spaces": (SpacesSettings, spaces.everything),
    "notices": (NoticesSettings, notices.everything),
    "matching": (MatchingSettings, matching.everything),
}


def main(
    services: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(SERVICES)}; 없으면 모두 / all without")
    ] = None,
) -> None:
    """카프카의 자료를 잃었을 때, 지금 유효한 것을 모두 다시 보냅니다. Publish all that holds now anew, after Kafka's data was lost."""
    for service in services or list(SERVICES):
        if service not in SERVICES:
            typer.echo(f"{service}: 모르는 서비스 / unknown; one of {', '.join(SERVICES)}", err=True)
            raise typer.Exit(2)
    for service in services or list(SERVICES):
        asyncio.run(_of(service))
    typer.echo("각 서비스의 중계가 차례로 보냅니다 / the services' relays carry them to Kafka, in order")


async def _of(service: str) -> None:
    make_settings, everything = SERVICES[service]
    settings = make_settings()
    database = Database(settings.database_url(service))
    try:
        for what, pages in everything(settings).items():
            told = await republish(database, pages, source=f"/services/{service}", clock=utc_now)
            typer.echo(f"{service}: {told:,} {what}")
    finally:
        await database.close()


if __name__ == "__main__":
    typer.run(main)
