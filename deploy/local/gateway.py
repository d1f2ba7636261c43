"""Caddy as a child process."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local import artifacts
from deploy.local.home import ROOT, Home
from deploy.local.probes import http_ready
from deploy.local.processes import Launch, Process

CADDYFILE = ROOT / "deploy" / "gateway" / "Caddyfile"


@dataclass(frozen=True)
class Gateway:
    """One gateway of one stack."""

    home: Home
    port: int
    upstreams: Mapping[str, int]
    issuer_port: int | None

    def process(self) -> Process:
        # It listens at once and answers 503 for a service that is still starting, so nothing need wait for the other.
        ready = http_ready(f"http://127.0.0.1:{self.port}/gateway/readyz")
        return Process("gateway", self._prepare, ready, (), self.port, wave=1)

    def _prepare(self) -> Launch:
        env = {f"GWANGSAN_{name.upper()}_UPSTREAM": f"127.0.0.1:{port}" for name, port in self.upstreams.items()}
        env["GWANGSAN_ISSUER_UPSTREAM"] = f"127.0.0.1:{self.issuer_port or 9}"
        env["GWANGSAN_SITE"] = f"http://:{self.port}"
        env["GWANGSAN_BIND"] = "127.0.0.1"
        env["GWANGSAN_WEB"] = str(ROOT / "web")
        folder = self.home.folder / "caddy"
        env |= {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
        folder.mkdir(parents=True, exist_ok=True)
        return Launch((str(artifacts.caddy()), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"), env)
