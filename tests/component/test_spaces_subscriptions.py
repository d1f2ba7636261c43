"""Subscriptions and the credit ledger on the real database."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.spaces.settings import Settings
from services.spaces.subscriptions.domain import month_after, month_of, month_starts
from shared.contracts.space import CreditsEntered, SubscriptionChanged
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.spaces import OFFICER, SpacesDesk, minutes_after, open_spaces

pytestmark = pytest.mark.component

BALANCES = """
    SELECT coalesce(l.account, b.account) AS account, coalesce(l.amount, 0) AS lines, coalesce(b.amount, 0) AS balance
    FROM (SELECT account, unit, sum(amount) AS amount FROM credit_line GROUP BY account, unit) l
    FULL JOIN credit_balance b ON b.account = l.account AND b.unit = l.unit
"""


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600, spaces_holds_at_once=1_000)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


def somebody() -> str:
    return f"citizen:{uuid4().hex}"


def next_month() -> str:
    """The first day of the next month in Seoul: a month that is whole."""
    return month_starts(month_after(month_of(datetime.now().astimezone()))).isoformat()


def in_month(days: int, hour: float = 10, hours: float = 1) -> dict[str, str]:
    """A time so many days into the next month."""
    start = minutes_after(next_month(), days * 1_440 + hour * 60)
    return {"starts_at": start, "ends_at": minutes_after(start, hours * 60)}


async def plan(desk: SpacesDesk, **changed: Any) -> dict[str, Any]:
    body = {"name": "월 20시간", "kind": "hours", "minutes": 1_200, "price_krw": 30_000, **changed}
    made: dict[str, Any] = await desk.good("POST", "/plans", body)
    return made


async def subscribed(desk: SpacesDesk, who: str, **changed: Any) -> dict[str, Any]:
    offered = await plan(desk, **changed)
    made: dict[str, Any] = await desk.good("POST", f"/plans/{offered['id']}/subscriptions", as_=who)
    return made


async def of(desk: SpacesDesk, subscription: dict[str, Any], who: str) -> dict[str, Any]:
    found: dict[str, Any] = await desk.good("GET", f"/subscriptions/{subscription['id']}", as_=who)
    return found


async def assert_balanced(desk: SpacesDesk) -> None:
    """The sum of lines is always the balance; every unit sums to nothing; no lot is below nothing."""
    rows = await desk.rows(BALANCES)
    assert [row for row in rows if row.lines != row.balance] == []
    assert sum(row.balance for row in rows) == 0
    assert all(row.balance >= 0 for row in rows if row.account.startswith("lot:"))


async def test_a_whole_month_is_given_and_owed_and_told(desk: SpacesDesk) -> None:
    me = somebody()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me)
        assert (mine["left_minutes"], mine["owed_krw"], len(mine["lots"])) == (1_200, 30_000, 1)
    told = await desk.events(me, SubscriptionChanged, CreditsEntered)
    assert [getattr(event, "act", "active") for event in told] == ["active", "grant", "fee"]
    await assert_balanced(desk)


async def test_a_booking_is_paid_in_minutes_and_the_quota_is_shown_before(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me)
        quoted = await desk.good("GET", f"/spaces/{room['id']}/quote", params=in_month(3, hours=2), as_=me)
        (option,) = quoted["options"]
        assert (quoted["free"], quoted["price_krw"]) == (True, 4_000)
        assert [option[n] for n in ("needs_minutes", "has_minutes", "left_minutes", "refused")] == [
            120,
            1_200,
            1_080,
            None,
        ]
        held = await desk.held(room, me, subscription_id=mine["id"], **in_month(3, hours=2))
        assert (held["price_krw"], (await of(desk, mine, me))["left_minutes"]) == (0, 1_200)
        booked = await desk.does(held, "confirm", me)
        assert (booked["credit_minutes"], (await of(desk, mine, me))["left_minutes"]) == (120, 1_080)
        taken = await desk.good("GET", f"/spaces/{room['id']}/quote", params=in_month(3), as_=me)
        assert (taken["free"], taken["refused"]["rule"]) == (False, "taken")
    await assert_balanced(desk)


async def test_more_than_is_left_is_refused(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me, minutes=90)
        refused = await desk.hold(room, me, subscription_id=mine["id"], **in_month(2, hours=2))
        assert assert_problem(refused, 409, "conflict")[0]["rule"] == "quota"
        holds = [await desk.held(room, me, subscription_id=mine["id"], **in_month(d)) for d in (2, 3)]
        answers = await asyncio.gather(*(desk.ask("POST", f"/bookings/{h['id']}/confirm", as_=me) for h in holds))
        assert Counter(a.status_code for a in answers) == {200: 1, 409: 1}
        assert (await of(desk, mine, me))["left_minutes"] == 30
    await assert_balanced(desk)


@pytest.mark.parametrize(("minutes_before", "left"), [(24 * 60 + 5, 1_200), (120, 1_170), (30, 1_140)])
async def test_a_cancelled_booking_gives_minutes_back_by_the_rule(
    desk: SpacesDesk, minutes_before: int, left: int
) -> None:
    me, room = somebody(), await desk.opened()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me)
        booked = await desk.booked(room, me, subscription_id=mine["id"], **in_month(3))
    with desk.clock.at(minutes_after(booked["starts_at"], -minutes_before)):
        await desk.does(booked, "cancel", me, {"reason": "못 감"})
        assert (await of(desk, mine, me))["left_minutes"] == left
    await assert_balanced(desk)


async def test_what_is_not_the_citizens_doing_gives_everything_back(desk: SpacesDesk) -> None:
    me = somebody()
    decided, called_off = await desk.opened(approval="officer"), await desk.opened()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me)
        rejected = await desk.booked(decided, me, subscription_id=mine["id"], **in_month(3))
        expired = await desk.booked(decided, me, subscription_id=mine["id"], **in_month(4))
        off = await desk.booked(called_off, me, subscription_id=mine["id"], **in_month(3, hour=15))
        assert (await of(desk, mine, me))["left_minutes"] == 1_020
        await desk.good("POST", f"/desk/bookings/{rejected['id']}/reject", {"reason": "행사"})
    with desk.clock.at(minutes_after(off["starts_at"], -1)):
        await desk.good("POST", f"/desk/bookings/{off['id']}/cancel", {"reason": "누수"})
    with desk.clock.at(expired["starts_at"]):
        await desk.chores()
        assert (await of(desk, mine, me))["left_minutes"] == 1_200
    await assert_balanced(desk)


async def test_a_no_show_gives_nothing_back(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me)
        booked = await desk.booked(room, me, subscription_id=mine["id"], **in_month(3))
    with desk.clock.at(minutes_after(booked["starts_at"], 16)):
        await desk.chores()
        assert (await of(desk, mine, me))["left_minutes"] == 1_140


async def test_months_renew_and_what_is_left_expires_scheduler_or_not(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened(ahead_days=366)
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me, minutes=600)
    following = month_starts(month_after(month_of(datetime.fromisoformat(next_month())))).isoformat()
    with desk.clock.at(following):
        assert (await of(desk, mine, me))["left_minutes"] == 0  # expired on read, though no chore has run
        await desk.chores()
        now = await of(desk, mine, me)
        assert (now["left_minutes"], now["owed_krw"]) == (600, 60_000)
        acts = [
            line["act"] for line in (await desk.good("GET", f"/subscriptions/{mine['id']}/ledger", as_=me))["items"]
        ]
        assert Counter(acts) == {"grant": 2, "fee": 2, "expire": 1}
    again = month_starts(month_after(month_of(datetime.fromisoformat(following)))).isoformat()
    with desk.clock.at(again):  # a month that no chore has given is given by whoever books
        start = minutes_after(again, 10 * 60)
        window = {"starts_at": start, "ends_at": minutes_after(start, 60)}
        await desk.booked(room, me, subscription_id=mine["id"], **window)
        assert (await of(desk, mine, me))["left_minutes"] == 540
    await assert_balanced(desk)


async def test_what_is_left_is_carried_over_where_the_plan_says_so(desk: SpacesDesk) -> None:
    me = somebody()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me, minutes=600, carry_months=1)
    following = month_starts(month_after(month_of(datetime.fromisoformat(next_month())))).isoformat()
    with desk.clock.at(following):
        await desk.chores()
        assert (await of(desk, mine, me))["left_minutes"] == 1_200


async def test_a_seat_is_one_booking_at_a_time(desk: SpacesDesk) -> None:
    me, desks = somebody(), await desk.opened(space_kind="desk", capacity=4)
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me, kind="seat", minutes=0, space_kinds=["desk"])
        first = await desk.booked(desks, me, subscription_id=mine["id"], **in_month(2))
        assert (first["credit_minutes"], first["price_krw"]) == (0, 0)
        second = await desk.hold(desks, me, subscription_id=mine["id"], **in_month(2, hour=10.5))
        assert assert_problem(second, 409, "conflict")[0]["rule"] == "seat-in-use"
        await desk.booked(desks, me, subscription_id=mine["id"], **in_month(2, hour=11))


async def test_a_plan_covers_its_own_institutions_spaces_of_its_kinds(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    other = await desk.opened(as_="officer:송정동")
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me, space_kinds=["desk", "seat"])
        for space in (room, other):
            refused = await desk.hold(space, me, subscription_id=mine["id"], **in_month(2))
            assert broken_rules(refused) == {("body.subscription_id", "not-covered")}
        theirs = await desk.hold(room, somebody(), subscription_id=mine["id"], **in_month(2))
        assert_problem(theirs, 404, "not-found")


async def test_a_pause_gives_and_takes_nothing_and_puts_the_expiry_off(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    path = "/subscriptions/{}/{}"
    with desk.clock.at(in_month(9)["starts_at"]):
        mine = await subscribed(desk, me)
        before = (await of(desk, mine, me))["lots"][0]["expires_at"]
        await desk.good("POST", path.format(mine["id"], "pause"), as_=me)
        refused = await desk.hold(room, me, subscription_id=mine["id"], **in_month(12))
        assert assert_problem(refused, 409, "conflict")[0]["rule"] == "not-now"
    with desk.clock.at(in_month(14, hour=9)["starts_at"]):
        after = await desk.good("POST", path.format(mine["id"], "resume"), as_=me)
        later = datetime.fromisoformat(after["lots"][0]["expires_at"]) - datetime.fromisoformat(before)
        assert (after["paused_days"], later) == (5, timedelta(days=5))  # the fifth day has begun
        assert len(after["lots"]) == 1
    assert_problem(await desk.ask("POST", path.format(mine["id"], "resume"), as_=me), 409, "conflict")
    await assert_balanced(desk)


async def test_ending_gives_back_by_the_rule_and_only_once(desk: SpacesDesk) -> None:
    me = somebody()
    with desk.clock.at(next_month()):
        mine = await subscribed(desk, me)
        end, because = f"/subscriptions/{mine['id']}/end", {"reason": "이사"}
        ended = await desk.good("POST", end, because, as_=me)
        assert (ended["state"], ended["left_minutes"], ended["owed_krw"]) == ("ended", 0, 0)
        assert_problem(await desk.ask("POST", end, because, as_=me), 409, "conflict")
    await assert_balanced(desk)


async def test_one_plan_is_subscribed_to_once_and_a_closed_one_not(desk: SpacesDesk) -> None:
    me, offered = somebody(), await plan(desk)
    path = f"/plans/{offered['id']}/subscriptions"
    answers = await asyncio.gather(*(desk.ask("POST", path, as_=me) for _ in range(5)))
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 4}
    await desk.good("POST", f"/plans/{offered['id']}/close")
    assert assert_problem(await desk.ask("POST", path, as_=somebody()), 409, "conflict")[0]["rule"] == "closed"


async def test_a_plan_is_changed_by_its_own_institution_on_the_version_that_was_read(desk: SpacesDesk) -> None:
    offered = await plan(desk)
    path, first = f"/plans/{offered['id']}", {"If-Match": '"v1"'}
    theirs = await desk.ask("PATCH", path, {"price_krw": 1}, as_="officer:송정동", headers=first)
    assert_problem(theirs, 403, "not-yours")
    after = await desk.ask("PATCH", path, {"price_krw": 25_000}, headers=first)
    assert (after.json()["price_krw"], after.json()["version"]) == (25_000, 2)
    assert_problem(await desk.ask("PATCH", path, {"price_krw": 1}, headers=first), 412, "precondition-failed")
    nothing = await desk.ask("PATCH", path, {"minutes": 0}, headers={"If-Match": '"v2"'})
    assert broken_rules(nothing) == {("body.minutes", "kind")}


@pytest.mark.parametrize(
    "statement", ["UPDATE credit_line SET amount = 1", "DELETE FROM credit_line", "TRUNCATE credit_line"]
)
async def test_the_database_takes_nothing_back_from_the_ledger(desk: SpacesDesk, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with desk.database.transaction() as tx:
            await tx.execute(text(statement))


async def test_the_database_refuses_an_entry_that_does_not_sum_to_nothing(desk: SpacesDesk) -> None:
    mine = await subscribed(desk, somebody())
    one_sided = text(
        "INSERT INTO credit_line (entry_id, act, account, unit, amount, subscription_id, month, entered_at) "
        "VALUES (gen_random_uuid(), 'grant', 'used:x', 'minutes', 5, :id, '2026-11', now())"
    )
    with pytest.raises(DBAPIError, match="sum to nothing"):
        async with desk.database.transaction() as tx:
            await tx.execute(one_sided, {"id": mine["id"]})


@pytest.mark.parametrize("seed", [1, 2])
async def test_through_any_history_the_sum_of_the_lines_is_the_balance(desk: SpacesDesk, seed: int) -> None:
    random_, room = random.Random(seed), await desk.opened(space_kind="desk", capacity=50, ahead_days=366)
    people = [somebody() for _ in range(4)]
    with desk.clock.at(next_month()):
        subscriptions = {who: await subscribed(desk, who, minutes=600, carry_months=seed - 1) for who in people}
    booked: dict[str, list[dict[str, Any]]] = {who: [] for who in people}
    for day in sorted(random_.randrange(70) for _ in range(60)):
        with desk.clock.at(in_month(day, hour=8)["starts_at"]):
            await acts(desk, random_, room, random_.choice(people), subscriptions, booked, day)
        await assert_balanced(desk)


async def acts(
    desk: SpacesDesk, random_: random.Random, room: dict[str, Any], who: str, subscriptions: dict[str, Any],
    booked: dict[str, list[dict[str, Any]]], day: int,
) -> None:  # fmt: skip
    """Something that a citizen, or time, does on a day; refusals are part of it."""
    own, act = subscriptions[who], random_.choice(("book", "book", "cancel", "pause", "resume", "chores", "end"))
    if act == "book":
        body = {"subscription_id": own["id"], **in_month(day + random_.randrange(1, 20), hours=random_.randrange(1, 4))}
        held = await desk.hold(room, who, **body)
        if held.status_code == 201:
            confirmed = await desk.ask("POST", f"/bookings/{held.json()['id']}/confirm", as_=who)
            booked[who] += [held.json()] if confirmed.status_code == 200 else []
    elif act == "cancel" and booked[who]:
        gone = booked[who].pop()
        answer = await desk.ask("POST", f"/bookings/{gone['id']}/cancel", {"reason": "x"}, as_=who)
        assert answer.status_code in (200, 409)
    elif act == "chores":
        await desk.chores()
    elif act in ("pause", "resume") or (act == "end" and random_.random() < 0.2):
        because = {"reason": "x"} if act == "end" else None
        answer = await desk.ask("POST", f"/subscriptions/{own['id']}/{act}", because, as_=who)
        assert answer.status_code in (200, 409), answer.text


async def test_officers_have_no_subscriptions(desk: SpacesDesk) -> None:
    assert_problem(await desk.ask("GET", "/subscriptions", as_=OFFICER), 403, "forbidden")
