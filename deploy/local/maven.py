"""Jars by coordinate: pinned and verified by artifacts.lock, from wherever this machine's Maven configuration points."""

import hashlib
import os
import shutil
import ssl
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.errors import LocalError, unwritable

if TYPE_CHECKING:
    import httpx

LOCK = Path(__file__).with_name("artifacts.lock")
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Jar:
    """One locked artifact."""

    coordinate: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.filename}"


@dataclass(frozen=True)
class Locked:
    """One section of the lock."""

    version: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256("".join(jar.sha256 for jar in self.jars).encode()).hexdigest()[:12]


def locked(section: str) -> Locked:
    """What the lock says of this part; a part that was not locked for this platform is told by name."""
    table = tomllib.loads(LOCK.read_text(encoding="utf-8"))
    if section not in table:
        raise LocalError(f"이 기계용 {section} 꾸러미가 없습니다.", f"No artifact is locked for {section}.")
    rows = [row.split() for row in table[section]["jars"]]
    return Locked(table[section]["version"], tuple(Jar(name, sha256, int(size)) for name, sha256, size in rows))


def remote_repositories() -> dict[str, str]:
    """jgo's configured repositories, with the user's Maven mirrors laid over them."""
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    repositories: dict[str, str] = {**MavenContext().remote_repos, **GlobalSettings.load().repositories}
    for covered, url in _mirrors(Path.home() / ".m2" / "settings.xml"):
        for name in repositories:
            if covered in ("*", "external:*", name):
                repositories[name] = url
    return {name: url.rstrip("/") for name, url in repositories.items()}


def _mirrors(settings: Path) -> list[tuple[str, str]]:
    if not settings.is_file():
        return []
    found = []
    for mirror in ET.parse(settings).iterfind(".//{*}mirror"):  # noqa: S314 the user's own file
        url = mirror.findtext("{*}url", "").strip()
        for covered in mirror.findtext("{*}mirrorOf", "").split(","):
            found.append((covered.strip(), url))
    return [(covered, url) for covered, url in found if url]


def fetch(jar: Jar, folder: Path, advance: Callable[[int], None]) -> Path:
    """The verified file in `folder`: already there, copied from the local Maven repository, or downloaded."""
    target = folder / jar.filename
    if target.exists():
        advance(jar.size)
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        if not _copied(jar, part):
            _download(jar, part, advance)
        else:
            advance(jar.size)
        part.replace(target)
    except OSError as error:
        raise unwritable(error, folder) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _copied(jar: Jar, part: Path) -> bool:
    repository = Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")
    source = repository / jar.path
    if not source.is_file() or hashlib.sha256(source.read_bytes()).hexdigest() != jar.sha256:
        return False
    shutil.copyfile(source, part)
    return True


def _download(jar: Jar, part: Path, advance: Callable[[int], None]) -> None:
    import httpx

    repositories = remote_repositories()
    failures: list[str] = []
    with httpx.Client(verify=trusted(), timeout=60, follow_redirects=True) as client:
        for name, url in repositories.items():
            try:
                digest = _stream(client, f"{url}/{jar.path}", part, advance)
            except httpx.HTTPStatusError as error:
                failures.append(f"{name}: HTTP {error.response.status_code}")
                continue
            except httpx.HTTPError as error:
                failures.append(f"{name}: {str(error) or type(error).__name__}")
                continue
            if digest == jar.sha256:
                return
            failures.append(f"{name}: sha256 {digest[:12]}… is not the locked one")
    raise LocalError(
        f"{jar.coordinate} 꾸러미를 받지 못했습니다. 네트워크나 Maven 설정을 확인하세요.",
        f"Could not fetch {jar.coordinate}: check the network or the Maven configuration.",
        tail=failures,
    )


def _stream(client: "httpx.Client", url: str, part: Path, advance: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with client.stream("GET", url) as response, part.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes(CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def trusted() -> ssl.SSLContext:
    """The machine's certificate authorities, and any bundle the usual variables name."""
    context = ssl.create_default_context()
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"):
        bundle = os.environ.get(variable)
        if bundle and Path(bundle).is_file():
            context.load_verify_locations(bundle)
    if not context.get_ca_certs() and not ssl.get_default_verify_paths().capath:
        import certifi

        context.load_verify_locations(certifi.where())
    return context
