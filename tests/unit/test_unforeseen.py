"""What a client is told when something breaks: 503 where waiting mends it, else 500; never the inside."""

from __future__ import annotations

import httpx
import pytest
from aiokafka.errors import KafkaTimeoutError
from fastapi import FastAPI

from shared.web import problems
from tests.publishers import assert_problem


async def answer_to(error: Exception) -> httpx.Response:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def break_() -> None:
        raise error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        return await http.get("/")


@pytest.mark.parametrize("error", [KafkaTimeoutError(), ConnectionRefusedError("db:5432"), TimeoutError()])
async def test_a_part_that_is_away_is_503_with_retry_after(error: Exception) -> None:
    answer = await answer_to(error)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "5432" not in answer.text


async def test_a_fault_of_ours_is_500_without_its_text() -> None:
    answer = await answer_to(ValueError("lat 35.19"))
    assert_problem(answer, 500, "internal")
    assert "35.19" not in answer.text
