"""Every route of notices, and matching's preview, fuzzed from their own OpenAPI: no 5xx, nothing that a schema does not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.matching.app import build as build_matching
from services.matching.settings import Settings as MatchingSettings
from services.notices.app import ROUTERS, build
from services.notices.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.fuzzing import Served, Target, answered_as_described
from tests.issuer import Issuer, token
from tests.publishers import NOBODY_LISTENS, notice_draft
from tests.statistics import card_draft

pytestmark = pytest.mark.component

OPERATIONS = sorted(
    (method, str(getattr(route, "path", "")))
    for router in ROUTERS
    for route in router.routes
    for method in sorted(getattr(route, "methods", ()))
)
OF_MATCHING = [
    ("POST", "/reach/preview"),
    ("GET", "/postings/{posting_id}/reach"),
    ("PUT", "/watch"),
    ("GET", "/watch"),
]


def everyone(issuer: Issuer) -> dict[str, str]:
    roles = ["citizen", "officer", "moderator", "admin"]
    return {"Authorization": f"Bearer {token(issuer, 'officer:수완동', roles=roles)}"}


@pytest_asyncio.fixture(scope="module")
async def target(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Target]:
    await databases.migrated("notices")
    many = {f"notices_{act}_per_minute": 1_000_000 for act in ("writes", "follows", "comments")}
    served = Served(build(settings_for(Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=0.2, **many)))
    url = await served.start()
    made = await asyncio.to_thread(Target, url, everyone(issuer))
    notice = await asyncio.to_thread(made.post, "/notices", notice_draft())
    draft = await asyncio.to_thread(made.post, "/drafts", {"notice": notice_draft()})
    comment = await asyncio.to_thread(made.post, f"/notices/{notice['id']}/comments", {"body": "주차는 되나요?"})
    card = await asyncio.to_thread(made.post, "/statistics", card_draft())
    listed = await asyncio.to_thread(httpx.get, f"{url}/channels")
    made.known = {
        "notice_id": notice["id"], "draft_id": draft["id"], "comment_id": comment["id"],
        "statistic_id": card["id"],
        "channel_id": listed.json()["items"][0]["id"],
    }  # fmt: skip
    yield made
    await served.stop()


@pytest_asyncio.fixture(scope="module")
async def matching(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Target]:
    await databases.migrated("matching")
    served = Served(build_matching(settings_for(MatchingSettings, reach_previews=1_000_000)))
    url = await served.start()
    yield await asyncio.to_thread(Target, url, everyone(issuer))
    await served.stop()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_nothing_that_is_sent_breaks_it(target: Target, method: str, path: str) -> None:
    assert answered_as_described(target, method, path) > 0


@pytest.mark.parametrize(("method", "path"), OF_MATCHING, ids=lambda part: part)
def test_nothing_that_is_sent_breaks_matchings_part(matching: Target, method: str, path: str) -> None:
    assert answered_as_described(matching, method, path) > 0


def test_every_route_is_fuzzed(target: Target) -> None:
    described = {(method.upper(), path) for path, item in target.schema.raw_schema["paths"].items() for method in item}
    assert described == set(OPERATIONS)
