"""The terminal: plain lines in a log or a pipe, drawn where a person watches."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from deploy.local.errors import LocalError
from deploy.local.state import State

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from deploy.local.plan import Plan

LABELS = {
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "issuer": "개발용 발급자 issuer",
    "topics": "토픽 topics",
    "migrations": "데이터베이스 databases",
    "jobs": "일자리 jobs",
    "spaces": "공간 spaces",
    "notices": "알림글 notices",
    "matching": "매칭 matching",
    "matching-engine": "매칭 엔진 matching-engine",
    "matching-inbox": "알림함 matching-inbox",
    "delivery": "전달 delivery",
    "gateway": "관문 gateway",
}
TRIES = (
    ("브라우저에서 열기 open in a browser", "{url}"),
    ("API 설명서 API reference", "{url}/docs/"),
    ("실제 이동을 재생하기 replay real movement", "./dev demo"),
    ("시민의 토큰 a citizen's token", "./dev token --as citizen:민지"),
    ("상태와 로그 state and logs", "./dev status · ./dev logs matching -f"),
)


class Screen:
    """Says what happens. On a terminal it draws what is under way, between entering and leaving it."""

    def __init__(self, drawn: bool | None = None) -> None:
        self._drawn = sys.stdout.isatty() if drawn is None else drawn
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self._drawn:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TimeElapsedColumn())
            self._progress = Progress(*columns, transient=True)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def say(self, line: str, style: str = "") -> None:
        with self._lock:
            if self._progress is not None:
                self._progress.console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)
            else:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    @contextmanager
    def fetching(self, what: str, size: int) -> Iterator[Callable[[int], None]]:
        label = f"{what} 받는 중 fetching ({size / 1e6:.0f} MB)"
        progress = self._progress
        if progress is None:
            self.say(f"… {label}")
            yield lambda _arrived: None
            return
        task = progress.add_task(label, total=size)
        try:
            yield lambda arrived: progress.advance(task, arrived)
        finally:
            progress.remove_task(task)

    def begun(self, name: str) -> None:
        if self._progress is not None:
            self._tasks[name] = self._progress.add_task(LABELS.get(name, name), total=None)

    def done(self, name: str, detail: str, seconds: float) -> None:
        task = self._tasks.pop(name, None)
        if self._progress is not None and task is not None:
            self._progress.remove_task(task)
        took = f"  {seconds:.1f} s" if seconds >= 0.05 else ""
        self.say(f"✓ {LABELS.get(name, name)} {detail}{took}", "green")

    def stopped(self, name: str, seconds: float) -> None:
        self.say(f"■ {LABELS.get(name, name)}  {seconds:.1f} s")

    def note(self, korean: str, english: str, log: Path | None = None) -> None:
        self.say(f"! {korean}\n  {english}" + (f"\n  로그 log: {log}" if log else ""), "yellow")

    def failed(self, error: LocalError) -> None:
        self.say("\n".join(error.lines()), "red")

    def already(self, running: State) -> None:
        if running.status == "ready":
            self.say(f"이미 돌고 있습니다. Already running: {running.gateway_url}  (pid {running.supervisor.pid})")
        else:
            self.say(f"시작하거나 멈추는 중입니다. It is {running.status} (pid {running.supervisor.pid}).")

    def ready(self, plan: "Plan", seconds: float) -> None:
        """The one address, and what to try."""
        rows = [(what, how.format(url=plan.gateway_url)) for what, how in TRIES]
        stop = "Ctrl-C" if sys.stdout.isatty() else "./dev down"
        if self._drawn:
            self._panel(plan.gateway_url, rows, seconds, stop)
            return
        lines = [f"\n당근 광산 Gwangsan → {plan.gateway_url}   ({seconds:.1f} s)", "해 볼 것 what to try:"]
        lines += [f"  {what}: {how}" for what, how in rows]
        self.say("\n".join([*lines, f"  멈추기 stop: {stop}"]))

    def _panel(self, url: str, rows: list[tuple[str, str]], seconds: float, stop: str) -> None:
        from rich.console import Console
        from rich.panel import Panel
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for what, how in (*rows, ("멈추기 stop", stop)):
            table.add_row(what, f"[bold]{how}[/bold]")
        title = f"🥕 [bold]당근 광산[/bold] Gwangsan → [bold]{url}[/bold]"
        Console().print(
            Panel(table, title=title, subtitle=f"{seconds:.1f} s", border_style="dark_orange", expand=False)
        )
