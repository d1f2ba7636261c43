"""`./dev` as a person meets it: real processes, a home of its own, ports that nobody else has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from deploy.local import state
from deploy.local.home import ROOT, Home

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
PARTS = {"kafka", "postgres", "redis", "issuer", "gateway"}
SERVICES = {"jobs", "spaces", "notices", "matching", "matching-engine", "matching-inbox", "delivery"}


@dataclass(frozen=True)
class Door:
    """`./dev` with its own GWANGSAN_HOME."""

    home: Home

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "deploy.local", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GWANGSAN_")}
        own = {"GWANGSAN_HOME": str(self.home.folder), "PYTHONPATH": str(ROOT), **env}
        if cache := os.environ.get("GWANGSAN_CACHE"):
            own["GWANGSAN_CACHE"] = cache
        return subprocess.run(command, env=kept | own, capture_output=True, text=True, timeout=300, check=False)

    def up(self) -> state.State:
        """Running and ready; started if it is not."""
        done = self.run("up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr
        return self.state()

    def state(self) -> state.State:
        found = state.running(self.home)
        assert found is not None
        return found

    def token(self, who: str) -> str:
        return self.run("token", "--as", who).stdout.strip()


def within(seconds: float, holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = Door(Home(tmp_path_factory.mktemp("door").resolve()))
    yield made
    made.run("down", "--erase")


def test_up_brings_everything_and_tells_one_address_and_what_to_try(door: Door) -> None:
    done = door.run("up", "--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(door.state().processes) == PARTS | SERVICES
    assert f"→ {door.state().gateway_url}" in done.stdout
    assert "./dev demo" in done.stdout


def test_a_second_up_says_that_it_runs_already(door: Door) -> None:
    running = door.up()
    for arguments in (("up",), ("up", "--detach")):
        again = door.run(*arguments)
        assert again.returncode == 0
        assert f"Already running: {running.gateway_url}" in again.stdout
    assert door.state().supervisor == running.supervisor


def test_status_tells_every_process_and_writes_its_figures(door: Door, tmp_path: Path) -> None:
    door.up()
    shown = door.run("status", "--json", str(tmp_path / "status.json"))
    figures = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert shown.returncode == 0
    assert all(row["alive"] for row in figures["processes"].values())
    assert all(name in shown.stdout for name in PARTS | SERVICES)
    assert figures["memory_mib"] < 2048


def test_the_state_with_its_passwords_is_its_owners_alone(door: Door) -> None:
    door.up()
    assert door.home.state.stat().st_mode & 0o077 == 0
    for secret in (door.home.folder / "run").glob("*.password"):
        assert secret.stat().st_mode & 0o077 == 0


def test_logs_shows_one_process_and_names_the_others(door: Door) -> None:
    door.up()
    assert "Kafka Server started" in door.run("logs", "kafka", "-n", "20000").stdout
    assert "jobs" in door.run("logs").stdout.split()
    unknown = door.run("logs", "nobody")
    assert (unknown.returncode, "there are: " in unknown.stderr) == (1, True)


def test_a_token_opens_the_api_through_the_gateway(door: Door) -> None:
    url = door.up().gateway_url
    bearer = {"Authorization": f"Bearer {door.token('citizen:민지')}"}
    assert httpx.get(f"{url}/api/jobs/postings", headers=bearer).status_code == 200
    assert httpx.get(f"{url}/api/matching/inbox").status_code == 401


def test_tokens_and_the_stack_are_refused_in_production(door: Door, tmp_path: Path) -> None:
    refused = door.run("token", "--as", "admin", GWANGSAN_ENVIRONMENT="production")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "refused when GWANGSAN_ENVIRONMENT=production" in refused.stderr
    other = Door(Home(tmp_path.resolve()))
    assert "refused when" in other.run("up", GWANGSAN_ENVIRONMENT="production").stderr


def test_the_gateway_guards_its_answers(door: Door) -> None:
    url = door.up().gateway_url
    page = httpx.get(url)
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "server" not in page.headers
    assert httpx.get(f"{url}/docs/").status_code == 200
    assert httpx.get(f"{url}/api/jobs/openapi.json").json()["openapi"].startswith("3.1")


def test_the_gateways_own_errors_are_problem_details(door: Door) -> None:
    url = door.up().gateway_url
    large = httpx.post(f"{url}/api/matching/positions", content=b"x" * 2_100_000)
    hidden = httpx.get(f"{url}/api/jobs/metrics")
    unknown = httpx.get(f"{url}/api/rockets/")
    for answer, status in ((large, 413), (hidden, 404), (unknown, 404)):
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_coordinates_and_tokens_never_reach_the_gateways_log(door: Door) -> None:
    url = door.up().gateway_url
    httpx.get(f"{url}/api/matching/nearby?lat=35.13951&lon=126.79374", headers={"Authorization": "Bearer tell-tale"})
    log = door.home.log("gateway")
    within(10, lambda: "/api/matching/nearby" in log.read_text(encoding="utf-8"))
    assert not any(secret in log.read_text(encoding="utf-8") for secret in ("35.13951", "126.79374", "tell-tale"))


def test_a_killed_service_comes_back_and_is_told(door: Door) -> None:
    url = door.up().gateway_url
    before = door.state().processes["jobs"]
    os.kill(before.pid, signal.SIGKILL)
    within(
        60, lambda: door.state().processes["jobs"].restarts > before.restarts and door.state().processes["jobs"].alive()
    )
    bearer = {"Authorization": f"Bearer {door.token('citizen:민지')}"}
    within(60, lambda: httpx.get(f"{url}/api/jobs/postings", headers=bearer).status_code == 200)
    assert "The process jobs died (signal SIGKILL). Restarting it." in door.run("logs", "supervisor").stdout


async def test_a_start_after_kill_9_ends_the_orphans_and_keeps_the_data(door: Door) -> None:
    running = door.up()
    await execute(running, "CREATE TABLE IF NOT EXISTS kept (word text)")
    await execute(running, "INSERT INTO kept VALUES ('당근')")
    os.kill(running.supervisor.pid, signal.SIGKILL)
    within(10, lambda: not running.supervisor.alive())
    assert all(process.alive() for process in running.processes.values())
    done = door.run("up", "--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ended what an interrupted run left" in done.stdout
    assert not any(process.alive() for process in running.processes.values())
    assert await execute(door.state(), "SELECT word FROM kept LIMIT 1") == "당근"


async def execute(running: state.State, statement: str) -> Any:
    connection = await asyncpg.connect(running.env["GWANGSAN_POSTGRES_URL"] + "/postgres")
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_an_unreachable_given_part_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    other = Door(Home(tmp_path.resolve()))
    done = other.run("up", GWANGSAN_POSTGRES_URL="postgresql://somebody:secret@127.0.0.1:9")
    assert done.returncode == 1
    assert "GWANGSAN_POSTGRES_URL points to 127.0.0.1:9, which does not answer" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert state.read(other.home) is None


def test_down_ends_everything(door: Door) -> None:
    running = door.up()
    assert door.run("down").returncode == 0
    assert not any(psutil.pid_exists(process.pid) for process in running.processes.values())
    assert door.run("status").returncode == 1
    assert door.run("down").returncode == 0
