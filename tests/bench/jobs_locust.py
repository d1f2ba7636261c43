"""The crowd as locust plays it (see jobs_claims.py, which starts it): each of its users claims for one citizen after another.

    GWANGSAN_BENCH_POSTING=ID GWANGSAN_BENCH_TOKENS=FILE locust -f tests/bench/jobs_locust.py --headless --host URL …

A place (201) and no place (409) are both right answers; anything else is a failure.
"""

from __future__ import annotations

import os
from itertools import count, cycle
from pathlib import Path
from uuid import uuid4

from locust import FastHttpUser, task

POSTING = os.environ["GWANGSAN_BENCH_POSTING"]
TOKENS = cycle(Path(os.environ["GWANGSAN_BENCH_TOKENS"]).read_text(encoding="ascii").split())
PLACES = count()


class Crowd(FastHttpUser):
    """One who asks again and again, without a pause."""

    @task
    def claim(self) -> None:
        headers = {"Authorization": f"Bearer {next(TOKENS)}", "Idempotency-Key": uuid4().hex}
        path = f"/postings/{POSTING}/claims"
        with self.client.post(path, json={}, headers=headers, name="claim", catch_response=True) as answer:
            if answer.status_code in (201, 409):
                answer.success()
            if answer.status_code == 201:
                took_ms = answer.request_meta["response_time"]
                told = {"request_type": "POST", "name": "place", "response_length": 0, "exception": None, "context": {}}
                self.environment.events.request.fire(response_time=took_ms, **told)
