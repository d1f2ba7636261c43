"""What peers stand on and the product does not bring: Tile38 and PostGIS, each started afresh for one run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from deploy.local import ports

PATIENCE_S = 120.0


class Unavailable(Exception):  # noqa: N818 no fault: it is skipped with one line
    """What a peer needs is not on this machine."""


def _tile38_program() -> str:
    binary = shutil.which(os.environ.get("GWANGSAN_BENCH_TILE38", "tile38-server"))
    if binary is None:
        raise Unavailable("no tile38-server on the path, and GWANGSAN_BENCH_TILE38 names none")
    return binary


def _postgis_programs() -> Path:
    found = shutil.which(os.environ.get("GWANGSAN_BENCH_POSTGRES", "postgres"))
    programs = Path(found).resolve().parent if found else None
    if programs is None or not _has_postgis(programs):
        raise Unavailable("no PostgreSQL with PostGIS: GWANGSAN_BENCH_POSTGRES may name its program `postgres`")
    return programs


def _has_postgis(programs: Path) -> bool:
    told = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    return (Path(told.stdout.strip()) / "extension" / "postgis.control").exists()


@contextmanager
def tile38(folder: Path) -> Iterator[tuple[str, int]]:
    """Its address and process."""
    port = ports.pick(None, ())
    child = subprocess.Popen(
        [_tile38_program(), "-h", "127.0.0.1", "-p", str(port), "-d", str(folder / "tile38"), "--appendonly", "no"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _await(port, child)
        yield f"redis://127.0.0.1:{port}", child.pid
    finally:
        end(child)


@contextmanager
def postgis(folder: Path) -> Iterator[tuple[str, int]]:
    """A PostgreSQL of its own, which must have the extension; as root it runs as the user `postgres`."""
    programs = _postgis_programs()
    user = "postgres" if os.getuid() == 0 else None
    folder.chmod(0o755)
    data = folder / "postgres"
    data.mkdir()
    if user:
        shutil.chown(data, user)
    how: dict[str, Any] = {"user": user, "cwd": data, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
    subprocess.run([programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"],
                   check=True, capture_output=True, **how)  # fmt: skip
    port = ports.pick(None, ())
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": data, "synchronous_commit": "off",
                "shared_buffers": "1GB", "work_mem": "64MB", "max_wal_size": "8GB", "jit": "off",
                "max_parallel_workers_per_gather": 0, "random_page_cost": 1.1}  # fmt: skip
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    child = subprocess.Popen([programs / "postgres", "-D", data, *options], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, **how)  # fmt: skip
    try:
        _await(port, child)
        yield f"postgresql://bench@127.0.0.1:{port}/postgres", child.pid
    finally:
        end(child)


Backend = Callable[[Path], AbstractContextManager[tuple[str, int]]]
BACKENDS: Mapping[str, Backend] = {"tile38": tile38, "postgis": postgis}
_NEEDS: Mapping[str, Callable[[], object]] = {"tile38": _tile38_program, "postgis": _postgis_programs}


def missing(backend: str | None) -> str | None:
    """Why a backend cannot be started on this machine, in a line."""
    try:
        _NEEDS.get(backend or "", lambda: None)()
    except Unavailable as why:
        return str(why)
    return None


def end(child: subprocess.Popen[Any]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(5)


def _await(port: int, child: subprocess.Popen[Any]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if child.poll() is not None:
            raise RuntimeError(f"it ended with {child.returncode}")
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")
