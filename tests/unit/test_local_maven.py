"""Artifacts: verified, whole or not at all, and one clear sentence when they cannot be had."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local import artifacts, maven
from deploy.local.errors import LocalError
from deploy.local.maven import Jar, fetch
from deploy.local.report import ignore

CONTENT = b"a jar" * 1000
JAR = Jar("org.example:part:1.2", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


class Repository(BaseHTTPRequestHandler):
    """A Maven repository that holds one file."""

    def do_GET(self) -> None:
        known = self.path == "/maven/org/example/part/1.2/part-1.2.jar"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(CONTENT if known else b"")

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Configured the way a user would: a mirror in ~/.m2/settings.xml."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mirror = f"<mirror><mirrorOf>*</mirrorOf><url>http://127.0.0.1:{server.server_port}/maven/</url></mirror>"
    settings = tmp_path / "user" / ".m2" / "settings.xml"
    settings.parent.mkdir(parents=True)
    namespace = "http://maven.apache.org/SETTINGS/1.2.0"
    settings.write_text(f'<settings xmlns="{namespace}"><mirrors>{mirror}</mirrors></settings>', encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("M2_REPO", raising=False)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("repository")
def test_a_locked_jar_is_downloaded_from_the_users_mirror(tmp_path: Path) -> None:
    arrived: list[int] = []
    path = fetch(JAR, tmp_path / "jars", arrived.append)
    assert path.read_bytes() == CONTENT
    assert sum(arrived) == JAR.size


@pytest.mark.usefixtures("repository")
def test_other_content_than_the_locked_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"Could not fetch org\.example:part:1\.2") as told:
        fetch(Jar(JAR.coordinate, "0" * 64, JAR.size), tmp_path / "jars", ignore)
    assert "sha256" in told.value.tail[0]
    assert list((tmp_path / "jars").iterdir()) == []


@pytest.mark.usefixtures("repository")
def test_a_missing_artifact_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalError) as told:
        fetch(Jar("org.example:absent:9", JAR.sha256, 1), tmp_path / "jars", ignore)
    assert told.value.english == "Could not fetch org.example:absent:9: check the network or the Maven configuration."
    assert "HTTP 404" in told.value.tail[0]


@pytest.mark.usefixtures("repository")
def test_a_jar_of_the_local_maven_repository_is_used_if_it_is_the_locked_one(tmp_path: Path) -> None:
    kept = Jar("org.example:kept:1", JAR.sha256, JAR.size)
    local = tmp_path / "user" / ".m2" / "repository" / kept.path
    local.parent.mkdir(parents=True)
    local.write_bytes(CONTENT)
    assert fetch(kept, tmp_path / "jars", ignore).read_bytes() == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.usefixtures("repository")
def test_a_full_disk_is_told_as_that(tmp_path: Path) -> None:
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / f"part-1.2.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(LocalError, match="The disk is full"):
        fetch(JAR, folder, ignore)


@pytest.mark.parametrize("platform", sorted(set(artifacts.PLATFORMS.values())))
def test_every_platform_has_its_postgresql(platform: str) -> None:
    (jar,) = maven.locked(f"postgres-{platform}").jars
    assert len(jar.sha256) == 64


def test_a_platform_without_parts_is_told_by_name() -> None:
    with pytest.raises(LocalError, match="No artifact is locked for postgres-plan9"):
        maven.locked("postgres-plan9")


def test_kafka_is_locked_in_one_version() -> None:
    locked = maven.locked("kafka")
    versions = {jar.coordinate.split(":")[2] for jar in locked.jars if jar.coordinate.startswith("org.apache.kafka:")}
    assert versions == {locked.version}
