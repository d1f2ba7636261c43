"""Whether what is due may be sent, and when digests go out: every branch, and the borders of hours and days."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.deliveries.domain import (
    Citizen,
    Drop,
    Pending,
    PostingNow,
    Rules,
    Send,
    ToDigest,
    Told,
    Wait,
    apart,
    judge,
    made_by_location,
    newest_of_each,
    wait_after,
)
from services.delivery.deliveries.known import rules_of
from services.delivery.mail.domain import as_bytes, digest_letter
from services.delivery.push.domain import meaning
from services.delivery.push.vapid import Vapid
from services.delivery.settings import Settings
from services.delivery.subscriptions.domain import Mode, check_keys, checked_mail, next_digest
from services.matching.settings import Settings as Matching
from shared.clock import SEOUL
from shared.contracts.watch import QuietHours
from shared.hours import HoursSettings
from shared.rules import Refused
from shared.settings import PlatformSettings

NOW = datetime(2027, 3, 2, 12, tzinfo=SEOUL)
QUIET = QuietHours(starts=time(21), ends=time(8))
SETTLES = timedelta(minutes=2)
MODES: tuple[Mode, Mode] = ("daily", "weekly")
CONTENT: dict[str, Any] = {
    "headline": "경로당 배식",
    "institution": "수완동",
    "link": "/jobs/1",
    "distance_m": 400,
    "dong": "수완동",
}


def due(**changed: Any) -> Pending:
    made = Pending(
        uuid4(),
        uuid4(),
        "push",
        uuid4(),
        1,
        0,
        "job",
        False,
        False,
        True,
        5,
        NOW + timedelta(hours=1),
        False,
        NOW,
        CONTENT,
    )
    return replace(made, **changed)


def posting(**changed: Any) -> PostingNow:
    return replace(
        PostingNow(1, 0, True, "경로당 배식", None, None, NOW + timedelta(hours=1), "/jobs/1", "수완동", ("library",)),
        **changed,
    )


def citizen(**changed: Any) -> Citizen:
    return replace(Citizen(1, True, False, ("job", "space", "notice"), None, (), (), ()), **changed)


def test_what_is_wanted_fresh_and_open_is_sent_in_its_own_words() -> None:
    verdict = judge(due(), posting(), citizen(), Told(), Rules(quiet=QUIET), NOW)
    assert verdict == Send({**CONTENT, "channel": "수완동", "topics": ["library"]})
    assert judge(due(), None, citizen(), Told(), Rules(), NOW) == Send(CONTENT)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"posting": {"open": False}}, "closed"),
        ({"posting": {"urgency_epoch": 1}}, "replaced"),
        ({"posting": {"expires_at": NOW}}, "expired"),
        ({"citizen": {"located": False}}, "consent"),
        ({"citizen": {"since_version": 6}}, "consent"),
        ({"citizen": {"paused": True}}, "paused"),
        ({"citizen": {"kinds": ("space",)}}, "muted"),
        ({"citizen": {"muted_channels": ("수완동",)}}, "muted"),
        ({"citizen": {"muted_topics": ("library",)}}, "muted"),
    ],
)  # fmt: skip
def test_what_is_over_or_unwanted_is_never_sent(change: dict[str, Any], because: str) -> None:
    found = judge(
        due(), posting(**change.get("posting", {})), citizen(**change.get("citizen", {})), Told(), Rules(), NOW
    )
    assert found == Drop(because)  # type: ignore[arg-type]


def test_a_posting_may_be_muted_by_itself_and_a_later_expiry_revives() -> None:
    one = due()
    assert judge(one, None, citizen(muted_postings=(one.posting_id,)), Told(), Rules(), NOW) == Drop("muted")
    late = due(expires_at=NOW - timedelta(seconds=1))
    assert judge(late, None, citizen(), Told(), Rules(), NOW) == Drop("expired")
    assert isinstance(judge(late, posting(version=2), citizen(), Told(), Rules(), NOW), Send)


def test_what_was_chosen_by_hand_needs_no_consent_to_location() -> None:
    by_hand = due(located=made_by_location("home_dong"))
    assert isinstance(judge(by_hand, None, citizen(located=False), Told(), Rules(), NOW), Send)
    assert isinstance(judge(by_hand, None, None, Told(), Rules(), NOW), Send)
    assert [made_by_location(rule) for rule in ("following", "in_dong", "within_radius", None)] == [
        False,
        True,
        True,
        True,
    ]


def test_without_knowing_the_consent_it_waits_even_in_an_emergency() -> None:
    for emergency in (False, True):
        assert isinstance(judge(due(emergency=emergency), None, None, Told(), Rules(), NOW), Wait)


def test_an_emergency_passes_quiet_mute_pause_and_number_but_not_withdrawal_and_closing() -> None:
    night = NOW.replace(hour=23)
    wild = citizen(paused=True, kinds=(), muted_channels=("수완동",), quiet=QUIET)
    one = due(emergency=True, expires_at=night + timedelta(hours=1))
    open_ = posting(expires_at=night + timedelta(hours=1))
    assert isinstance(judge(one, open_, wild, Told(99, 99), Rules(), night), Send)
    assert judge(one, replace(open_, open=False), wild, Told(), Rules(), night) == Drop("closed")
    assert judge(one, open_, replace(wild, located=False), Told(), Rules(), night) == Drop("consent")


@pytest.mark.parametrize(
    ("clock", "waits"),
    [("20:59:59", None), ("21:00", "08:00"), ("23:59:59", "08:00"),
     ("00:00", "08:00"), ("07:59:59", "08:00"), ("08:00", None)]
)  # fmt: skip
def test_the_borders_of_quiet_hours(clock: str, waits: str | None) -> None:
    now = datetime.combine(NOW.date(), time.fromisoformat(clock), SEOUL)
    found = judge(
        due(wanted_at=now, expires_at=now + timedelta(days=2)), None, citizen(), Told(), Rules(quiet=QUIET), now
    )
    assert (isinstance(found, Wait) and found.until.strftime("%H:%M")) == (waits or False)
    mail = due(channel="mail", digest=True, wanted_at=now, expires_at=now + timedelta(days=2))
    assert isinstance(judge(mail, None, citizen(quiet=QUIET), Told(), Rules(quiet=QUIET), now), Send)


def test_own_quiet_hours_win_over_the_product_s() -> None:
    own = citizen(quiet=QuietHours(starts=time(12), ends=time(13)))
    assert judge(due(), None, own, Told(), Rules(quiet=QUIET), NOW) == Wait(NOW.replace(hour=13), quiet=True)


def test_what_is_stale_or_too_much_goes_into_the_digest() -> None:
    rules = Rules(per_day=3, urgent_reserve=1)
    assert isinstance(judge(due(wanted_at=NOW - timedelta(hours=1)), None, citizen(), Told(), rules, NOW), Send)
    assert judge(due(wanted_at=NOW - timedelta(hours=1, seconds=1)), None, citizen(), Told(), rules, NOW) == ToDigest()
    assert judge(due(), None, citizen(), Told(3, 0), rules, NOW) == ToDigest()
    assert judge(due(), None, citizen(), Told(2, 2), rules, NOW) == ToDigest()
    assert isinstance(judge(due(urgent=True), None, citizen(), Told(3, 0), rules, NOW), Send)
    assert judge(due(urgent=True), None, citizen(), Told(3, 1), rules, NOW) == ToDigest()
    assert isinstance(judge(due(digest=True), None, citizen(), Told(99, 99), rules, NOW), Send)


@given(st.integers(-(10**8), 10**8), st.integers(0, 23), st.integers(0, 6))
def test_a_digest_goes_out_within_a_day_or_a_week_a_little_after_its_hour(
    ahead_s: int, hour: int, weekday: int
) -> None:
    now = NOW + timedelta(seconds=ahead_s)
    daily, weekly = (next_digest(mode, hour, weekday, now, SETTLES) for mode in MODES)
    assert now < daily <= now + timedelta(days=1)
    assert now < weekly <= now + timedelta(days=7)
    for at in (daily, weekly):
        assert (at - SETTLES).time() == time(hour)
    assert (weekly - SETTLES).weekday() == weekday


def test_what_comes_while_a_digest_settles_is_in_it() -> None:
    struck = NOW.replace(hour=18)
    assert next_digest("daily", 18, 0, struck + timedelta(seconds=119), SETTLES) == struck + SETTLES
    assert next_digest("daily", 18, 0, struck + SETTLES, SETTLES) == struck + SETTLES + timedelta(days=1)
    eve = datetime(2026, 12, 31, 23, 59, 59, tzinfo=SEOUL)
    assert next_digest("daily", 0, 0, eve, SETTLES) == datetime(2027, 1, 1, 0, 2, tzinfo=SEOUL)


def test_one_item_per_posting_urgent_ones_first() -> None:
    first = due(urgency_epoch=0)
    again, urgent = (
        replace(first, alert_id=uuid4(), urgency_epoch=1),
        due(urgent=True, wanted_at=NOW + timedelta(minutes=1)),
    )
    assert newest_of_each([first, urgent, again]) == [urgent, again]


def test_waits_double_up_to_an_hour_and_heed_the_peer() -> None:
    waits = [wait_after(n, 15, None).total_seconds() for n in (1, 2, 3, 9, 1_000)]
    assert waits == [15, 30, 60, 3_600, 3_600]
    assert wait_after(1, 15, 120.0) == timedelta(seconds=120)
    assert wait_after(1, 15, 1e12) == timedelta(hours=1)


def test_what_failed_together_is_not_tried_again_together() -> None:
    ids = [uuid4() for _ in range(2_000)]
    waits = [wait_after(2, 15, None, apart(id_, 2)).total_seconds() for id_ in ids]
    in_each_third = [sum(30 + 5 * n <= wait <= 35 + 5 * n for wait in waits) for n in range(3)]
    assert 30 <= min(waits) <= max(waits) <= 45
    assert all(500 < count < 850 for count in in_each_third), in_each_third
    assert apart(ids[0], 2) == apart(ids[0], 2) != apart(ids[0], 3)


def test_both_services_have_the_same_hours() -> None:
    own = {
        name for name in {**Matching.model_fields, **Settings.model_fields} if "quiet" in name or "digest_hour" in name
    }
    assert own == set(HoursSettings.model_fields) - set(PlatformSettings.model_fields)
    told: dict[str, Any] = {"quiet_from": 22, "quiet_to": 6, "digest_hour": 7}
    assert Matching(**told).quiet_hours() == Settings(**told).quiet_hours() == rules_of(Settings(**told)).quiet


@pytest.mark.parametrize("address", ["a@b.kr", "first.last+tag@sub.example.co.kr", "o'neil@example.com"])
def test_addresses_pass(address: str) -> None:
    assert checked_mail(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@b", "@b.kr", "a@b.kr\r\nBcc: c@d.kr", "a b@c.kr", "<a@b.kr>", "a@b.kr,c@d.kr", "하늘@b.kr",
     "a@-b.kr", ".a@b.kr", "a..b@c.kr",
     "x" * 65 + "@b.kr", "a@" + "b" * 250 + ".kr"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        checked_mail(address)


@pytest.mark.parametrize(
    ("p256dh", "auth"), [("BAAA", "AAAAAAAAAAAAAAAAAAAAAA"), ("B" + "A" * 86, "AAAA"), ("!" * 87, "A" * 22)]
)
def test_keys_that_are_none_are_refused(p256dh: str, auth: str) -> None:
    with pytest.raises(Refused):
        check_keys(p256dh, auth)


@pytest.mark.parametrize(
    ("status", "meant"),
    [(200, "Accepted"), (201, "Accepted"), (404, "Gone"), (410, "Gone"), (429, "Later"), (500, "Later"), (503, "Later"), (400, "Refused"),
     (401, "Refused"), (413, "Refused"), (301, "Refused")],
)  # fmt: skip
def test_what_a_push_service_means(status: int, meant: str) -> None:
    assert type(meaning(status, {}, NOW)).__name__ == meant


@pytest.mark.parametrize("said", ["", "soon", "-5", "9" * 400, "Sun, 31 Feb 2027 00:00:00 GMT"])
def test_a_retry_after_that_is_none_harms_nothing(said: str) -> None:
    assert type(meaning(429, {"retry-after": said}, NOW)).__name__ == "Later"


def test_the_key_of_a_secret_is_always_the_same() -> None:
    contact = "mailto:a@example.com"
    assert (
        Vapid("s" * 32, contact).public_key
        == Vapid("s" * 32, contact).public_key
        != Vapid("t" * 32, contact).public_key
    )
    vapid = Vapid("s" * 32, contact)
    assert vapid.authorization("https://a.example/1") == vapid.authorization("https://a.example/2")
    assert vapid.authorization("https://a.example/1") != vapid.authorization("https://b.example/1")


@given(st.text(max_size=80))
def test_no_headline_breaks_a_letter(headline: str) -> None:
    item = due(content={**CONTENT, "headline": f"소{headline}"})
    letter = digest_letter(
        uuid4(),
        "no-reply@gwangsan.example",
        "a@b.kr",
        [(item, {})],
        0,
        base="https://g.example",
        stop="https://g.example/u",
    )
    raw = as_bytes(letter, NOW)
    head, _, _ = raw.partition(b"\r\n\r\n")
    assert raw.isascii()
    assert head.count(b"\r\nTo: ") == head.count(b"\r\nList-Unsubscribe: ") == 1
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
