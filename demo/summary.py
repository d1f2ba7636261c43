"""The summary after a run: what had to be told, what was, and how soon."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.judge import Verdict, percentiles
from demo.tally import Tally
from demo.truth import Pair

SHOWN = 10


def show(console: Console, tally: Tally, verdict: Verdict, provenance: tuple[str, ...]) -> None:
    """One panel, then whatever went wrong, then where the movement came from."""
    seconds = tally.ended_at - tally.began_at
    table = Table.grid(padding=(0, 2))
    table.add_column(style="grey62")
    table.add_column()
    table.add_row("위치 fixes", f"{tally.sent:,} · {tally.sent / max(seconds, 1e-9):,.0f}/s · {seconds:.0f} s")
    late = sum(opened.during_run for opened in tally.opened)
    table.add_row(
        "시민 · 게시물", f"{len(tally.people):,} citizens · {len(tally.opened)} postings ({late} 재생 중 열림)"
    )
    table.add_row("와야 할 알림 expected", f"[bold]{verdict.expected:,}[/]  (독립 전수 계산 brute force)")
    table.add_row("받은 알림 seen", f"[bold]{verdict.seen:,}[/]  (모든 시민의 알림함 every inbox)")
    table.add_row("빠짐 missing", _count(len(verdict.missing)))
    table.add_row("겹침 duplicate", _count(verdict.duplicate))
    table.add_row("군더더기 extra", _count(len(verdict.extra)))
    table.add_row("판정 제외 not judged", f"{verdict.unjudged}  (경계 ±1 m, 열리는 순간 at the rim, at opening)")
    if tally.refused:
        told = ", ".join(f"{rule} {count:,}" for rule, count in sorted(tally.refused.items()))
        table.add_row("거절된 위치 refused", told)
    table.add_row("지연 latency", "[grey62]p50 / p95 / p99 ms[/]")
    table.add_row("  수락→스트림", _delays(verdict.stream_ms) + f"  accepted→stream, 표본 {len(tally.listeners)}명")
    table.add_row("  전송→스트림", _delays(verdict.stream_from_sending_ms) + "  sent→stream")
    table.add_row("  전송→알림함", _delays(verdict.inbox_ms) + "  sent→inbox, 전원 everyone")
    table.add_row("  게시→스트림", _delays(verdict.opening_ms) + "  posting sent→stream")
    title, style = ("✓ 모두 한 번씩 알렸습니다 everyone was told, once", "green3")
    if not verdict.passed:
        title, style = ("✗ 알림이 맞지 않습니다 alerts differ from the truth", "red")
    console.print(Panel(table, title=title, border_style=style, expand=False))
    _faults(console, tally, verdict)
    for line in provenance:
        console.print(Text(line, "grey50"))


def _count(number: int) -> str:
    return f"[bold {'green3' if number == 0 else 'red'}]{number}[/]"


def _delays(values: list[float]) -> str:
    return " / ".join("-" if v is None else f"{v:,.0f}" for v in percentiles(values).values())


def _faults(console: Console, tally: Tally, verdict: Verdict) -> None:
    for name, pairs in (("빠짐 missing", verdict.missing), ("군더더기 extra", verdict.extra)):
        for pair in pairs[:SHOWN]:
            console.print(f"  {name}: {_of(tally, pair)}", markup=False, highlight=False)
        if len(pairs) > SHOWN:
            console.print(f"  … {len(pairs) - SHOWN:,}", highlight=False)


def _of(tally: Tally, pair: Pair) -> str:
    person, opened = tally.people[pair[0]], tally.opened[pair[1]]
    return f"{person.label} ({person.who}) × {opened.offer.body['headline']} ({opened.id})"
