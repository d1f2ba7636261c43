"""One audit: every store gone through for the traces of a citizen's places."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.matching.audit import places
from services.matching.audit.domain import Finding, Point, trace_in
from shared.settings import PlatformSettings


@dataclass
class Report:
    """What was gone through, by store, and what was found."""

    searched: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> list[str]:
        gone_through = ", ".join(f"{store} {count:,}" for store, count in self.searched.items())
        found = [f"✗ {f.store} {f.at}: {f.what}" for f in self.findings]
        verdict = f"{len(found)}곳에서 찾았습니다 / found in {len(found)} places" if found else "없습니다 / none found"
        return [*found, f"{'✗' if found else '✓'} {verdict} ({gone_through})"]


async def search(settings: PlatformSettings, citizen_id: str, points: Sequence[Point], logs: Path | None) -> Report:
    """Redis, PostgreSQL, the topics and, if there is one, the folder of logs."""
    report = Report()
    stores = {"redis": places.of_redis, "postgresql": places.of_postgres, "kafka": places.of_kafka}
    for name, of_store in stores.items():
        await _go_through(name, of_store(settings), citizen_id, points, report)
    for at, line in places.of_logs(logs) if logs is not None else ():
        _look(report, "logs", at, line, citizen_id, points)
    return report


async def _go_through(
    name: str, stored: AsyncIterator[places.Stored], citizen_id: str, points: Sequence[Point], report: Report
) -> None:
    report.searched[name] += 0
    async for at, blob in stored:
        _look(report, name, at, blob, citizen_id, points)


def _look(report: Report, name: str, at: str, blob: bytes, citizen_id: str, points: Sequence[Point]) -> None:
    report.searched[name] += 1
    what = trace_in(blob, points, citizen_id)
    if what is not None:
        report.findings.append(Finding(name, at, what))
