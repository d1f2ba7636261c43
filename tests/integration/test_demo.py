"""A short run of the demo against the whole product: nobody is forgotten, nobody is told twice."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from demo.run import Options, Run, report
from deploy.local.stack import Stack

pytestmark = pytest.mark.integration

KEYS = {
    "fixes", "fixes_per_s", "postings", "citizens", "alerts_expected", "alerts_seen", "missing", "duplicate", "extra",
    "latency_ms",
}  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two vehicles that drive past each other through Songjeong, for eleven minutes."""
    path = tmp_path / "two.csv"
    rows = [f"east,{s},35.1396,{126.78 + s * 4e-5:.6f}\nwest,{s},35.1398,{126.81 - s * 4e-5:.6f}" for s in range(0, 660, 15)]  # fmt: skip
    path.write_text("citizen,second,lat,lon\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("speed", [None, 60.0])
async def test_what_is_told_is_what_must_be_told(
    whole_product: Stack, recording: Path, tmp_path: Path, speed: float | None
) -> None:
    out, said = tmp_path / "figures.json", io.StringIO()
    console = Console(file=said, width=100)
    run = Run(Options(traces=recording, postings=20, speed=speed, json_out=out, plain=True))
    async with asyncio.timeout(240):
        verdict = await run.play(whole_product, console)
    assert report(run, verdict, console) == 0, said.getvalue()
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert set(figures) == KEYS
    assert set(figures["latency_ms"]) == {"p50", "p95", "p99"}
    assert (figures["missing"], figures["duplicate"], figures["extra"]) == (0, 0, 0), said.getvalue()
    assert figures["alerts_expected"] == figures["alerts_seen"] > 0
    assert (figures["fixes"], figures["citizens"], figures["postings"]) == (88, 6, 20)
    assert figures["latency_ms"]["p99"] is not None
    assert "two.csv" in said.getvalue()
