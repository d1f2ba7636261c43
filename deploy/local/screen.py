"""The terminal: what the stack tells, as lines, or drawn where a person watches."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LABELS = {
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "issuer": "개발용 발급자 issuer",
    "topics": "토픽 topics",
    "migrations": "데이터베이스 migrations",
    "gateway": "관문 gateway (Caddy)",
    "kafka-aot": "Kafka 시동 캐시 start cache",
}


class Plain:
    """One line per thing that ended; for logs and pipes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        with self._lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    @contextmanager
    def fetching(self, what: str, size: int) -> Iterator[Callable[[int], None]]:
        self.say(f"… {what} 받는 중 fetching ({size / 1e6:.0f} MB)")
        yield lambda _arrived: None

    def begun(self, name: str) -> None: ...

    def done(self, name: str, detail: str, seconds: float) -> None:
        self.say(f"✓ {LABELS.get(name, name)} {detail} ({seconds:.1f} s)")

    def note(self, korean: str, english: str, log: Path | None = None) -> None:
        self.say(f"! {korean}\n  {english}" + (f"\n  로그 log: {log}" if log else ""))
