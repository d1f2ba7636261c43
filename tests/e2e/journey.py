"""One citizen's way through the whole product, against any gateway: consent, watch, a position, an officer's posting,
the alert on the live stream, 마감, withdrawal.

    python -m tests.e2e.journey --gateway http://127.0.0.1:8080 [--tokens development|keycloak]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

PLACE = {"name": "수완동 작은도서관", "address": "광산구 수완로 1", "lat": 35.1906, "lon": 126.8234}
NEARBY = {"lat": 35.1915, "lon": 126.8231}
WITHIN_S = 20.0

Tokens = Callable[[httpx.Client, str], str]


def development_token(gateway: httpx.Client, role: str) -> str:
    """From the embedded stack's issuer."""
    who = {"citizen": f"citizen:journey-{uuid4().hex[:8]}", "officer": "officer:수완동 행정복지센터"}[role]
    return _token(gateway.post("/auth/token", json={"as": who}))


def keycloak_token(gateway: httpx.Client, role: str) -> str:
    """Of the realm's sample people, by the direct grant that only development has."""
    form = {
        "grant_type": "password",
        "client_id": "gwangsan-development",
        "username": {"citizen": "haneul", "officer": "suwan"}[role],
        "password": os.environ.get("GWANGSAN_SAMPLE_PASSWORD", "development-only"),
    }
    return _token(gateway.post("/auth/realms/gwangsan/protocol/openid-connect/token", data=form))


SOURCES: Mapping[str, Tokens] = {"development": development_token, "keycloak": keycloak_token}


def _token(answer: httpx.Response) -> str:
    return str(_good(answer, 200)["access_token"])


def _good(answer: httpx.Response, status: int) -> Any:
    request = answer.request
    assert answer.status_code == status, (
        f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:500]}"
    )
    return answer.json() if answer.content else None


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    gateway: httpx.Client
    token: str = field(repr=False)

    def ask(self, method: str, path: str, status: int = 200, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": uuid4().hex}
        return _good(self.gateway.request(method, path, json=body, headers=headers), status)

    @contextmanager
    def listening(self) -> Iterator[Iterator[dict[str, Any]]]:
        """The live stream, open from now on."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        with self.gateway.stream("GET", "/api/matching/stream", headers=headers, timeout=WITHIN_S) as answer:
            assert answer.status_code == 200, f"the stream answers {answer.status_code}"
            events = _events(answer.iter_lines())
            assert next(events)["event"] == "hello"
            yield events


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Server-Sent Events as {event, data}; a heartbeat is an empty one."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line == "":
            yield event
            event = {}
        elif name == "data":
            event["data"] = json.loads(value)
        elif name == "event":
            event["event"] = value.strip()


def alert_about(events: Iterator[dict[str, Any]], posting_id: str, state: str) -> dict[str, Any]:
    """The next alert about this posting in this state; a stream that says nothing ends by its timeout."""
    ends = time.monotonic() + WITHIN_S
    for event in events:
        data: dict[str, Any] = event.get("data", {})
        if event.get("event") == "alert" and data["posting_id"] == posting_id and data["state"] == state:
            return data
        assert time.monotonic() < ends, f"no alert in state {state} within {WITHIN_S:.0f} s"
    raise AssertionError("the stream ended")


def draft(now: datetime) -> dict[str, Any]:
    return {
        "headline": "책 정리 두 시간 (점검용)",
        "place": PLACE,
        "starts_at": (now + timedelta(hours=2)).isoformat(),
        "ends_at": (now + timedelta(hours=4)).isoformat(),
        "pay": {"amount_krw": 12_000},
        "not_a_duplicate": True,
    }


def position(now: datetime) -> dict[str, Any]:
    return {"fixes": [{**NEARBY, "accuracy_m": 10.0, "observed_at": now.isoformat()}]}


def walk(gateway: httpx.Client, tokens: Tokens, say: Callable[[str], object]) -> None:
    """Raises AssertionError at the first step that is not as promised. Leaves nothing open."""
    citizen, officer = (Person(gateway, tokens(gateway, role)) for role in ("citizen", "officer"))
    refused = gateway.get("/api/matching/inbox")
    assert refused.status_code == 401, f"without a token the inbox answers {refused.status_code}"
    citizen.ask("POST", "/api/matching/consents/location", 201, {})
    citizen.ask("PUT", "/api/matching/watch", 200, {"radius_m": 700})
    taken = citizen.ask("POST", "/api/matching/positions", 202, position(datetime.now(UTC)))
    assert taken["accepted"] == 1, taken
    say("동의·설정·위치 · consent, watch, position")
    with citizen.listening() as events:
        began = time.monotonic()
        posting = officer.ask("POST", "/api/jobs/postings", 201, draft(datetime.now(UTC)))
        alert = alert_about(events, posting["id"], "open")
        say(
            f"알림 {alert['distance_m']} m · alert, {(time.monotonic() - began) * 1000:.0f} ms after the officer began to post"
        )
        officer.ask("POST", f"/api/jobs/postings/{posting['id']}/close", 200, {"reason": "다 찼습니다"})
        closed = alert_about(events, posting["id"], "closed")
        assert closed["id"] == alert["id"], "마감 came as another alert"
        say(f"마감 · closed: {closed['closed_because']}")
    inbox = citizen.ask("GET", "/api/matching/inbox")["items"]
    assert [item["id"] for item in inbox].count(alert["id"]) == 1, "the inbox holds the alert once"
    receipt = citizen.ask("DELETE", "/api/matching/consents/location")
    assert receipt["erased"]["positions"] >= 1, receipt
    citizen.ask("POST", "/api/matching/positions", 403, position(datetime.now(UTC)))
    say(f"철회 확인서 · withdrawn, erased {receipt['erased']}")


def main(arguments: list[str]) -> int:
    """0 when the whole journey went as promised."""
    parser = argparse.ArgumentParser(prog="journey", description="One citizen's way through a running product.")
    parser.add_argument("--gateway", default="http://127.0.0.1:8080", help="address of the gateway")
    parser.add_argument("--tokens", choices=sorted(SOURCES), default="development", help="where tokens come from")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"journey {time.monotonic() - began:5.1f} s  {line}\n")

    try:
        with httpx.Client(base_url=chosen.gateway, timeout=15) as gateway:
            walk(gateway, SOURCES[chosen.tokens], say)
    except (AssertionError, httpx.HTTPError) as error:
        say(f"failed: {type(error).__name__}: {error}")
        return 1
    say("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
