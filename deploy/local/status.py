"""`./dev status`."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from deploy.local import state
from deploy.local.home import default_home


def show(json_out: Path | None) -> int:
    """One row per process; 1 when nothing runs."""
    found = state.running(default_home())
    told = figures(found)
    if json_out is not None:
        json_out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if found is None:
        sys.stdout.write("꺼져 있습니다. Not running: ./dev up\n")
        return 1
    if sys.stdout.isatty():
        _table(told)
    else:
        _lines(told)
    return 0


def figures(found: state.State | None) -> dict[str, Any]:
    """The same as JSON: memory in MiB, age in seconds."""
    if found is None:
        return {"status": "stopped", "processes": {}}
    rows = {"supervisor": _figures(found.supervisor, descendants=False)}
    rows |= {name: _figures(process, descendants=True) for name, process in found.processes.items()}
    memory = round(sum(row["memory_mib"] for row in rows.values()), 1)
    return {
        "status": found.status,
        "gateway_url": found.gateway_url,
        "memory_mib": memory,
        "external": found.external,
        "processes": rows,
    }


def _figures(process: state.Recorded, *, descendants: bool) -> dict[str, Any]:
    import psutil

    row: dict[str, Any] = {
        "alive": process.alive(),
        "pid": process.pid,
        "port": process.port,
        "restarts": process.restarts,
    }
    memory = 0
    if row["alive"]:
        try:
            found = psutil.Process(process.pid)
            below = found.children(recursive=True) if descendants else []
            memory = sum(_own_memory(one) for one in (found, *below))
        except psutil.NoSuchProcess:
            row["alive"] = False
    return {**row, "memory_mib": round(memory / 2**20, 1), "age_s": round(time.time() - process.created)}


def _own_memory(process: Any) -> int:
    """Proportional set size where the system tells it: PostgreSQL's processes share most of theirs."""
    import psutil

    try:
        return int(getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)


def _lines(told: dict[str, Any]) -> None:
    sys.stdout.write(f"{told['status']} {told['gateway_url']}  {told['memory_mib']} MiB\n")
    for name, row in told["processes"].items():
        alive = "up" if row["alive"] else "dead"
        sys.stdout.write(
            f"{name:<16} {alive:<5} pid {row['pid']:<8} port {row['port'] or '-':<6} "
            f"{row['memory_mib']:>7} MiB  {row['age_s']:>6} s  restarts {row['restarts']}\n"
        )
    for name in told["external"]:
        sys.stdout.write(f"{name:<16} 환경 변수로 받은 주소 given by the environment\n")


def _table(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{told['status']} → {told['gateway_url']}", caption=f"{told['memory_mib']} MiB", title_style="bold"
    )
    for heading in ("프로세스 process", "", "pid", "port", "MiB", "초 s", "재시작 restarts"):
        table.add_column(heading, justify="left" if heading in ("", "프로세스 process") else "right")
    for name, row in told["processes"].items():
        alive = "[green]●[/green]" if row["alive"] else "[red]✗[/red]"
        cells = (row["pid"], row["port"] or "", row["memory_mib"], row["age_s"], row["restarts"] or "")
        table.add_row(name, alive, *map(str, cells))
    for name in told["external"]:
        table.add_row(name, "[blue]→[/blue]", "", "", "", "", "")
    Console().print(table)
