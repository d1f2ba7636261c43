"""PostgreSQL as a child process."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from deploy.local import accounts, artifacts
from deploy.local.errors import LocalError
from deploy.local.home import Home
from deploy.local.probes import postgres_ready
from deploy.local.processes import Launch, Process, run_once
from deploy.local.report import Report
from deploy.local.secrets import password

USER = "gwangsan"
# Room for every service's pool twice over on a small machine; durability stays on: the record is here.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}


@dataclass(frozen=True)
class Postgres:
    """One server of one stack."""

    home: Home
    port: int
    report: Report

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{password(self.home, 'postgres')}@127.0.0.1:{self.port}"

    def process(self) -> Process:
        # SIGINT is PostgreSQL's fast shutdown: sessions end, the next start needs no recovery.
        return Process(
            "postgres",
            self._prepare,
            postgres_ready(self.url),
            port=self.port,
            wave=3,
            stop_signal=signal.SIGINT,
            stop_s=20,
        )

    def folder(self) -> Path:
        return accounts.data_folder(self.home.folder, accounts.unprivileged())

    def _prepare(self) -> Launch:
        account = accounts.unprivileged()
        programs = artifacts.postgres(accounts.parts_folder(account), self.report)
        folder = self.folder()
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "data"
        if not data.exists():
            self._create(programs, folder, account)
        self._check_version(programs, data)
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        command = (str(programs / "bin" / "postgres"), "-D", str(data), "-p", str(self.port), *settings)
        return Launch(command, {"LC_ALL": "C", "PGTZ": "UTC"}, account)

    def _create(self, programs: Path, folder: Path, account: tuple[int, int] | None) -> None:
        """initdb into a folder of its own that gets its name when complete: an interrupted one is simply redone."""
        fresh, secret = folder / "fresh", folder / "secret"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        secret.touch(mode=0o600)
        secret.write_text(password(self.home, "postgres"), encoding="utf-8")
        if account is not None:
            for path in (fresh, secret):
                os.chown(path, *account)
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        access = ("--username", USER, "--auth=scram-sha-256", f"--pwfile={secret}")
        try:
            launch = Launch(
                (str(programs / "bin" / "initdb"), "-D", str(fresh), "--no-sync", *locale, *access),
                {"LC_ALL": "C"},
                account,
            )
            run_once("initdb", launch, self.home.log("postgres"))
        finally:
            secret.unlink(missing_ok=True)
        fresh.replace(folder / "data")

    def _check_version(self, programs: Path, data: Path) -> None:
        made_by = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if not programs.name.startswith(f"postgres-{made_by}."):
            raise LocalError(
                f"{data}의 자료는 PostgreSQL {made_by}용입니다.", f"The data in {data} belongs to PostgreSQL {made_by}."
            )
