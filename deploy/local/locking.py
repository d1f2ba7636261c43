"""Write artifacts.lock anew: `python -m deploy.local.locking`. A maintainer's command, run when a version changes."""

import hashlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local.maven import LOCK, remote_repositories

KAFKA = "4.1.2"
POSTGRES = "17.11.0"
REDIS = "1.4.4"
PLATFORMS = {"linux-amd64": "linux-amd64", "linux-arm64": "linux-arm64v8", "macos-arm64": "darwin-arm64v8"}
# The logging binding comes with Kafka's own distribution, not with its pom. It is added as it is: resolved together
# with Kafka, its parent pom would manage Kafka's own versions.
KAFKA_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"


def main() -> None:
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), remote_repos=remote_repositories(), timeout=60)
        root = context.create_dependency(f"org.apache.kafka:kafka_2.13:{KAFKA}")
        inputs, others = context.resolver.resolve([root])
        resolved = {f"{d.groupId}:{d.artifactId}:{d.version}" for d in inputs + others if d.type == "jar"}
        kafka = sorted(resolved | {KAFKA_LOGGING})
        sections: dict[str, list[str]] = {"kafka": kafka}
        for ours, theirs in PLATFORMS.items():
            sections[f"postgres-{ours}"] = [f"io.zonky.test.postgres:embedded-postgres-binaries-{theirs}:{POSTGRES}"]
        sections["redis-fallback"] = [f"com.github.codemonstur:embedded-redis:{REDIS}"]

        def locked(coordinate: str) -> str:
            path = Path(context.create_dependency(coordinate).artifact.resolve())
            return f"{coordinate} {hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size}"

        with ThreadPoolExecutor(8) as pool:
            text = "# Written by `python -m deploy.local.locking`: every artifact with its sha256 and size in bytes.\n"
            for name, coordinates in sections.items():
                rows = "".join(f'    "{row}",\n' for row in pool.map(locked, coordinates))
                version = coordinates[0].rsplit(":", 1)[1] if name != "kafka" else KAFKA
                text += f'\n[{name}]\nversion = "{version}"\njars = [\n{rows}]\n'
    LOCK.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
