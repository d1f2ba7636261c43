"""Redis as a child process: an index that can be emptied at any time, so nothing is written to disk."""

from dataclasses import dataclass

from deploy.local import artifacts
from deploy.local.home import Home
from deploy.local.probes import redis_ready
from deploy.local.processes import Launch, Process
from deploy.local.secrets import password, write_private


@dataclass(frozen=True)
class Redis:
    """One server of one stack."""

    home: Home
    port: int

    @property
    def url(self) -> str:
        return f"redis://:{password(self.home, 'redis')}@127.0.0.1:{self.port}/0"

    def process(self) -> Process:
        return Process("redis", self._prepare, redis_ready(self.url), port=self.port, wave=2)

    def _prepare(self) -> Launch:
        server = artifacts.redis()
        # A full index refuses writes, which is seen, rather than forgetting somebody, which is not.
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": password(self.home, "redis"),
            "save": '""',
            "appendonly": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        config = self.home.folder / "run" / "redis.conf"
        write_private(config, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return Launch((str(server), str(config)))
