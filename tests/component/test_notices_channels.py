"""Channels: verified institutions, officers by role, profiles, and citizens who follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from services.notices.settings import Settings
from shared.contracts import Follows
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import NoticesDesk, open_notices, somebody
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules, notice_draft

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600, notices_follows_per_minute=300)
    async with open_notices(databases, issuer, settings) as made:
        yield made


async def test_a_verified_institution_has_its_channel_and_says_so(desk: NoticesDesk) -> None:
    made = await desk.institution()
    channel = await desk.channel(made.name)
    assert (channel["verified"], channel["institution"], channel["followers"]) == (True, made.name, None)
    await desk.good("PUT", f"/institutions/{made.name}", {"verified": False}, as_="admin")
    assert not (await desk.channel(made.name))["verified"]


async def test_only_an_admin_verifies_and_names_officers(desk: NoticesDesk) -> None:
    made = await desk.institution()
    for path, body in ((f"/institutions/{made.name}", {"verified": True}),
                       (f"/institutions/{made.name}/officers/x", {"roles": ["approver"]})):  # fmt: skip
        for stranger in (made.both, somebody(), "moderator"):
            assert_problem(await desk.ask("PUT", path, body, as_=stranger), 403, "forbidden")
    assert_problem(await desk.ask("GET", f"/institutions/{made.name}/officers", as_=made.both), 403, "forbidden")
    named = await desk.good("GET", f"/institutions/{made.name}/officers", as_="admin")
    assert {officer["subject"]: officer["roles"] for officer in named} == {
        made.author: ["author"], made.approver: ["approver"], made.both: ["approver", "author"],
    }  # fmt: skip


async def test_an_institution_with_a_slash_is_none(desk: NoticesDesk) -> None:
    """Its channel could be taken for a part of another's."""
    answer = await desk.ask("PUT", "/institutions/수완동%2F어린이", {"verified": True}, as_="admin")
    assert answer.status_code in (404, 422)
    assert not [c for c in (await desk.good("GET", "/institutions", as_="admin")) if "/" in c["name"]]


async def test_the_roles_of_an_officer_are_those_of_the_table_once_somebody_was_named(desk: NoticesDesk) -> None:
    made, alone = await desk.institution(), f"officer:기관 {uuid4().hex[:8]}"
    for who, roles in (
        (made.author, ["author"]),
        (f"officer:{made.name}#남", []),
        (alone, ["approver", "author"]),
    ):
        assert (await desk.good("GET", "/my-roles", as_=who))["roles"] == roles
    answer = await desk.ask("POST", "/notices", notice_draft(), as_=f"officer:{made.name}#남")
    assert_problem(answer, 403, "role-needed")
    assert answer.json()["needs"] == ["approver", "author"]


async def test_a_part_of_an_institution_has_a_channel_of_its_own(desk: NoticesDesk) -> None:
    made = await desk.institution()
    body = {
        "name": f"{made.name}/어린이",
        "about": "어린이 소식",
        "topics": ["children"],
        "home_url": "https://suwan.example",
    }
    assert_problem(await desk.ask("POST", "/channels", body, as_=made.author), 403, "role-needed")
    opened = await desk.good("POST", "/channels", body, as_=made.approver)
    assert (opened["name"], opened["topics"], opened["verified"]) == (body["name"], ["children"], True)
    assert (
        assert_problem(await desk.ask("POST", "/channels", body, as_=made.both), 409, "conflict")[0]["rule"] == "exists"
    )
    other = await desk.institution()
    assert broken_rules(await desk.ask("POST", "/channels", body, as_=other.both)) == {("body.channel", "own-channel")}
    for wrong in ({"name": "x\n"}, {"home_url": "javascript:alert(1)"}, {"home_url": 'https://a"onload='}, {"more": 1}):
        assert (await desk.ask("POST", "/channels", body | wrong, as_=made.both)).status_code == 422, wrong


async def test_a_profile_is_edited_on_the_version_it_was_read_in(desk: NoticesDesk) -> None:
    made, other = await desk.institution(), await desk.institution()
    channel = await desk.channel(made.name)
    path, edit = f"/channels/{channel['id']}", {"about": "소개", "home_url": "https://gwangsan.example"}
    assert_problem(await desk.ask("PATCH", path, edit, as_=made.approver), 428, "precondition-required")
    assert_problem(await desk.ask("PATCH", path, edit, as_=other.approver, version=1), 403, "not-yours")
    answers = await asyncio.gather(
        *(desk.ask("PATCH", path, {"about": f"소개 {n}"}, as_=made.both, version=1) for n in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    after = await desk.good("PATCH", path, edit, as_=made.approver, version=2)
    assert (after["about"], after["home_url"], after["version"]) == ("소개", "https://gwangsan.example", 3)
    cleared = await desk.good("PATCH", path, {"home_url": None, "about": None}, as_=made.approver, version=3)
    assert (cleared["about"], cleared["home_url"]) == ("소개", None)


async def test_following_tells_the_whole_list_each_time_and_only_when_it_changed(desk: NoticesDesk) -> None:
    who, first, second = somebody(), await desk.institution(), await desk.institution()
    a, b = (await desk.channel(first.name))["id"], (await desk.channel(second.name))["id"]
    for method, id_ in (("PUT", a), ("PUT", a), ("PUT", b), ("DELETE", a), ("DELETE", a), ("DELETE", b), ("PUT", b)):
        await desk.good(method, f"/channels/{id_}/follow", as_=who)
    told = await desk.events(who, Follows)
    assert [(event.version, event.channels) for event in told] == [
        (1, (first.name,)), (2, (first.name, second.name)), (3, (second.name,)), (4, ()), (5, (second.name,)),
    ]  # fmt: skip
    mine = await desk.good("GET", "/follows", as_=who)
    assert mine == {"version": 5, "channels": [{"id": b, "name": second.name}]}
    assert (await desk.good("GET", "/follows", as_=somebody())) == {"version": 0, "channels": []}


async def test_follows_at_once_keep_their_order(desk: NoticesDesk) -> None:
    who, channels = somebody(), [(await desk.channel((await desk.institution()).name))["id"] for _ in range(6)]
    await asyncio.gather(*(desk.good("PUT", f"/channels/{id_}/follow", as_=who) for id_ in channels))
    told = await desk.events(who, Follows)
    assert [(event.version, len(event.channels)) for event in told] == [(n, n) for n in range(1, 7)]


async def test_followers_are_a_count_and_a_small_one_is_not_told(desk: NoticesDesk) -> None:
    made = await desk.institution()
    id_ = (await desk.channel(made.name))["id"]
    for n in range(1, 7):
        await desk.good("PUT", f"/channels/{id_}/follow", as_=somebody())
        assert (await desk.good("GET", f"/channels/{id_}", as_=None))["followers"] == (n if n >= 5 else None)
    text = (await desk.ask("GET", f"/channels/{id_}", as_=made.both)).text
    assert "citizen:" not in text


async def test_what_is_not_there_cannot_be_followed(desk: NoticesDesk) -> None:
    assert_problem(await desk.ask("PUT", f"/channels/{uuid4()}/follow", as_=somebody()), 404, "not-found")
    channel = await desk.channel((await desk.institution()).name)
    assert_problem(await desk.ask("PUT", f"/channels/{channel['id']}/follow", as_="officer:수완동"), 403, "forbidden")


async def test_channels_are_listed_page_by_page(desk: NoticesDesk) -> None:
    made = [await desk.institution() for _ in range(3)]
    names, cursor = [], None
    while True:
        page = await desk.good("GET", "/channels", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        names += [channel["name"] for channel in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert [name for name in names if name in {m.name for m in made}] == [m.name for m in reversed(made)]
    assert len(names) == len(set(names))
