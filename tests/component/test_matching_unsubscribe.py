"""One tap stops a channel, a topic or a kind: without signing in, only when pressed, and nothing else with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.app import build
from services.matching.settings import Settings
from services.matching.unsubscribe.domain import stopped
from shared.contracts import Watch
from shared.contracts.posting import Audience
from shared.rules import Refused
from shared.unsubscribe import Scope, Unsubscription, sign
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem
from tests.samples import NOW, posting
from tests.tap import first_of_each, tapping

pytestmark = pytest.mark.component
KEY = "the-key-of-these-tests"


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    settings = settings_for(Settings, unsubscribe_key=KEY, public_url="https://gwangsan.example")
    async with open_matching(databases, issuer, settings) as made:
        yield made


@pytest.fixture
def citizen() -> str:
    return f"citizen:{uuid4().hex[:8]}"


async def links(desk: MatchingDesk, citizen: str, **changed: Any) -> dict[tuple[str, str], str]:
    """By scope and what: the token of each link of an alert just told."""
    about = posting(**{"expires_at": desk.now.replace(year=desk.now.year + 1), **changed})
    await desk.posted(about)
    told = await desk.tell(citizen, about)
    answer = await desk.get(f"/inbox/{told.id}/unsubscribe-links", citizen)
    assert answer.status_code == 200, answer.text
    found = {}
    for link in answer.json():
        parts = urlsplit(link["url"])
        assert (parts.scheme, parts.netloc, parts.path) == ("https", "gwangsan.example", "/api/matching/unsubscribe")
        assert link["ko"]
        assert link["en"]
        found[link["scope"], link["what"]] = parse_qs(parts.query)["t"][0]
    return found


async def settings_of(desk: MatchingDesk, citizen: str) -> dict[str, Any]:
    rows = await desk.rows("SELECT settings FROM watch WHERE citizen_id = :id", id=citizen)
    settings: dict[str, Any] = rows[0].settings
    return settings


async def test_an_alert_can_be_stopped_by_channel_topic_and_kind(desk: MatchingDesk, citizen: str) -> None:
    await desk.consents(citizen, interests=["library"])
    found = await links(desk, citizen, audience=Audience(interests=("library", "senior"), channel="수완동/어린이"))
    assert set(found) == {("channel", "수완동/어린이"), ("topic", "library"), ("topic", "senior"), ("kind", "job")}
    before = await settings_of(desk, citizen)
    async with tapping(desk.settings.kafka_url, Watch.TOPIC) as tap:
        for token in found.values():
            shown = await desk.http.get("/unsubscribe", params={"t": token})
            assert (shown.status_code, shown.text.count("<button")) == (200, 1)
            assert '<html lang="ko">' in shown.text
            assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert await settings_of(desk, citizen) == before, "looking does nothing"
        for token in [*found.values(), *found.values()]:
            done = await desk.http.post("/unsubscribe", params={"t": token}, content="List-Unsubscribe=One-Click")
            assert done.status_code == 200

        def versions() -> list[int]:
            told = [Watch.model_validate_json(record.value).version for record in first_of_each(tap.of(citizen))]
            return [version for version in told if version > before["version"]]

        await tap.wait_for(lambda _: len(versions()) >= len(found))
    after = await settings_of(desk, citizen)
    assert (after["muted_channels"], after["kinds"]) == (["수완동/어린이"], ["space", "notice"])
    assert sorted(after["muted_topics"]) == ["library", "senior"]
    assert versions() == [3, 4, 5, 6], "pressing twice changes nothing"
    own = {"muted_channels", "muted_topics", "kinds", "version", "changed_at"}
    assert {name: after[name] for name in after if name not in own} == {n: before[n] for n in before if n not in own}


async def test_what_was_not_signed_here_or_is_for_elsewhere_does_nothing(desk: MatchingDesk, citizen: str) -> None:
    await desk.consents(citizen)
    before = await settings_of(desk, citizen)
    bad = [
        "", "x", sign("another-key-entirely", Unsubscription(citizen, "kind", "job")), sign(KEY, Unsubscription(citizen, "mail", "all")),
        sign(KEY, Unsubscription(citizen, "kind", "everything")), sign(KEY, Unsubscription(citizen, "kind", "job"))[:-6],
    ]  # fmt: skip
    for token in bad:
        for method in ("GET", "POST"):
            answer = await desk.http.request(method, "/unsubscribe", params={"t": token})
            assert (answer.status_code, "<button" in answer.text) == (404, False)
    assert await settings_of(desk, citizen) == before


async def test_a_name_with_markup_in_it_is_shown_and_not_run(desk: MatchingDesk, citizen: str) -> None:
    token = sign(KEY, Unsubscription(citizen, "channel", "<script>alert(1)</script>"))
    shown = await desk.http.get("/unsubscribe", params={"t": token})
    assert "<script" not in shown.text
    assert "&lt;script&gt;" in shown.text


async def test_it_works_for_who_never_set_anything_and_keeps_consent_as_it_is(desk: MatchingDesk, citizen: str) -> None:
    token = sign(KEY, Unsubscription(citizen, "channel", "수완동"))
    assert (await desk.http.post("/unsubscribe", params={"t": token})).status_code == 200
    made = await settings_of(desk, citizen)
    assert (made["muted_channels"], made["located"], made["consent_epoch"]) == (["수완동"], False, 0)


async def test_links_are_the_citizen_s_own(desk: MatchingDesk, citizen: str) -> None:
    await desk.consents(citizen)
    told = await desk.tell(citizen, posting(expires_at=desk.now.replace(year=desk.now.year + 1)))
    assert (
        assert_problem(await desk.get(f"/inbox/{told.id}/unsubscribe-links", "citizen:다른이"), 404, "not-found") == []
    )
    assert assert_problem(await desk.get(f"/inbox/{uuid4()}/unsubscribe-links", citizen), 404, "not-found") == []


@pytest.mark.parametrize(("scope", "field"), [("channel", "muted_channels"), ("topic", "muted_topics")])
def test_as_many_as_may_be_muted_are_muted(scope: Scope, field: str) -> None:
    full = {field: tuple(f"name-{n}" for n in range(200))}
    watch = Watch.model_validate(
        {"citizen_id": "c", "version": 1, "consent_epoch": 0, "located": False, "changed_at": NOW, **full}
    )
    assert stopped(watch, Unsubscription("c", scope, "name-7")) == {}
    with pytest.raises(Refused):
        stopped(watch, Unsubscription("c", scope, "one-more"))


def test_production_does_not_start_without_a_key() -> None:
    with pytest.raises(ValueError, match="GWANGSAN_UNSUBSCRIBE_KEY"):
        build(Settings(environment="production"))
