"""What a stack consists of: addresses first, then the steps that bring it up."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.local import ports
from deploy.local.errors import LocalError
from deploy.local.gateway import Gateway
from deploy.local.home import ROOT, Home
from deploy.local.kafka import Kafka
from deploy.local.keys import refuse_production
from deploy.local.postgres import Postgres
from deploy.local.probes import Probe, http_ready, kafka_ready, postgres_ready, redis_ready
from deploy.local.processes import Launch, Process, Task, run_once
from deploy.local.redis import Redis
from deploy.local.report import Report
from deploy.local.secrets import password

PREFERRED = {
    "gateway": 8080,
    "kafka": 29092,
    "kafka-controller": 29093,
    "postgres": 25432,
    "redis": 26379,
    "issuer": 28081,
}
DATABASES = ("jobs", "spaces", "notices", "matching", "delivery")
ENVIRONMENT_URLS = {
    "kafka": "GWANGSAN_KAFKA_URL",
    "postgres": "GWANGSAN_POSTGRES_URL",
    "redis": "GWANGSAN_REDIS_URL",
    "issuer": "GWANGSAN_OIDC_ISSUER",
}


@dataclass(frozen=True)
class Service:
    """One of our own processes."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    preferred_port: int = 0
    route: str | None = None  # its place under /api, if it has one


SERVICES = (
    Service("jobs", "services.jobs.app", (), 28101, "jobs"),
    Service("spaces", "services.spaces.app", (), 28102, "spaces"),
    Service("notices", "services.notices.app", (), 28103, "notices"),
    Service("matching", "services.matching.app", (), 28104, "matching"),
    Service("matching-engine", "services.matching.worker", ("engine",), 28111),
    Service("matching-inbox", "services.matching.worker", ("inbox",), 28112),
    Service("delivery", "services.delivery.app", (), 28105, "delivery"),
)


@dataclass(frozen=True)
class Plan:
    """Addresses, environment and steps of one stack."""

    gateway_url: str
    env: dict[str, str]
    external: list[str]
    steps: list[Process | Task]
    notes: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Ports:
    fixed: bool
    environment: Mapping[str, str]
    notes: list[tuple[str, str]]
    taken: dict[str, int] = field(default_factory=dict)

    def of(self, name: str, preferred: int) -> int:
        wish = preferred if self.fixed else None
        port = ports.pick(wish, self.taken.values())
        self.taken[name] = port
        return port

    def of_gateway(self) -> int:
        wanted = self.environment.get("GWANGSAN_GATEWAY_PORT")
        preferred = int(wanted) if wanted and wanted.isdigit() else PREFERRED["gateway"]
        port = self.of("gateway", preferred) if not (wanted and self.fixed) else preferred
        if wanted and self.fixed and not ports.is_free(port):
            owner = ports.owner_of(port)
            raise LocalError(
                f"{port} 포트는 {owner}이(가) 쓰고 있습니다. GWANGSAN_GATEWAY_PORT를 바꾸세요.",
                f"Port {port} is taken by {owner}: change GWANGSAN_GATEWAY_PORT.",
            )
        if self.fixed and port != preferred:
            owner = ports.owner_of(preferred)
            self.notes.append(
                (
                    f"{preferred} 포트는 {owner}이(가) 쓰고 있어 {port}을(를) 씁니다.",
                    f"Port {preferred} is taken by {owner}; using {port}.",
                )
            )
        self.taken["gateway"] = port
        return port


def make(
    home: Home, report: Report, *, services: bool, fixed_ports: bool, given: Mapping[str, str] | None = None
) -> Plan:
    """`given` is the environment whose URLs replace embedded parts; a private stack passes none."""
    given = given or {}
    notes: list[tuple[str, str]] = []
    chosen = _Ports(fixed_ports, given, notes)
    gateway_port = chosen.of_gateway() if services else 0
    env = {
        "GWANGSAN_ENVIRONMENT": os.environ.get("GWANGSAN_ENVIRONMENT", "development"),
        "GWANGSAN_OIDC_AUDIENCE": "gwangsan",
        "GWANGSAN_JOBS_SECRET": given.get("GWANGSAN_JOBS_SECRET") or password(home, "jobs"),
        "GWANGSAN_UNSUBSCRIBE_KEY": given.get("GWANGSAN_UNSUBSCRIBE_KEY") or password(home, "unsubscribe"),
        "GWANGSAN_VAPID_SECRET": given.get("GWANGSAN_VAPID_SECRET") or password(home, "vapid"),
    }
    if gateway_port:
        env["GWANGSAN_PUBLIC_URL"] = given.get("GWANGSAN_PUBLIC_URL") or f"http://127.0.0.1:{gateway_port}"
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    steps: list[Process | Task] = []
    steps += _infrastructure(home, report, chosen, given, env)
    steps += _issuer(home, chosen, given, env, gateway_port)
    steps += _once(home, env)
    if services:
        ours = [s for s in SERVICES if (ROOT / s.module.replace(".", "/")).with_suffix(".py").exists()]
        placed = {s.name: chosen.of(s.name, s.preferred_port) for s in SERVICES}
        steps += [_service(s, placed[s.name], env) for s in ours]
        upstreams = {s.route: placed[s.name] for s in SERVICES if s.route}
        gateway = Gateway(home, gateway_port, upstreams, chosen.taken.get("issuer"))
        steps.append(gateway.process())
    gateway_url = f"http://127.0.0.1:{gateway_port}" if services else ""
    return Plan(
        gateway_url, env, [name for name in ENVIRONMENT_URLS if given.get(ENVIRONMENT_URLS[name])], steps, notes
    )


def _infrastructure(
    home: Home, report: Report, chosen: _Ports, given: Mapping[str, str], env: dict[str, str]
) -> list[Process | Task]:
    steps: list[Process | Task] = []
    if url := given.get(ENVIRONMENT_URLS["kafka"]):
        steps.append(_external("kafka", url, kafka_ready(url)))
    else:
        kafka = Kafka(home, chosen.of("kafka", 29092), chosen.of("kafka-controller", 29093), report)
        url = kafka.url
        steps.append(kafka.process())
    env[ENVIRONMENT_URLS["kafka"]] = url
    if url := given.get(ENVIRONMENT_URLS["postgres"]):
        steps.append(_external("postgres", url, postgres_ready(url)))
    else:
        postgres = Postgres(home, chosen.of("postgres", PREFERRED["postgres"]), report)
        url = postgres.url
        steps.append(postgres.process())
    env[ENVIRONMENT_URLS["postgres"]] = url
    if url := given.get(ENVIRONMENT_URLS["redis"]):
        steps.append(_external("redis", url, redis_ready(url)))
    else:
        redis = Redis(home, chosen.of("redis", PREFERRED["redis"]))
        url = redis.url
        steps.append(redis.process())
    env[ENVIRONMENT_URLS["redis"]] = url
    return steps


def _issuer(
    home: Home, chosen: _Ports, given: Mapping[str, str], env: dict[str, str], gateway_port: int
) -> list[Process | Task]:
    if issuer := given.get("GWANGSAN_OIDC_ISSUER"):
        jwks = given.get("GWANGSAN_OIDC_JWKS_URL", "")
        env["GWANGSAN_OIDC_ISSUER"] = issuer
        if jwks:
            env["GWANGSAN_OIDC_JWKS_URL"] = jwks
        url = jwks or f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        return [_external("issuer", url, http_ready(url))]
    refuse_production(env)
    port = chosen.of("issuer", PREFERRED["issuer"])
    env["GWANGSAN_OIDC_ISSUER"] = (
        f"http://127.0.0.1:{gateway_port}/auth" if gateway_port else f"http://127.0.0.1:{port}"
    )
    env["GWANGSAN_OIDC_JWKS_URL"] = f"http://127.0.0.1:{port}/jwks.json"
    own = {**env, "GWANGSAN_ISSUER_KEYS": str(home.issuer), "GWANGSAN_PORT": str(port), "GWANGSAN_HOST": "127.0.0.1"}
    launch = Launch((sys.executable, "-m", "deploy.local.issuer"), own)
    ready = http_ready(f"http://127.0.0.1:{port}/readyz")
    return [Process("issuer", lambda: launch, ready, port=port, wave=1)]


def _external(name: str, url: str, probe: Probe) -> Task:
    """A part given by URL: used if it answers, told if it does not. The URL may hold a password: only its host is told."""
    where = url.rpartition("@")[2]

    def check() -> str:
        missing = probe()
        if missing is not None:
            raise LocalError(
                f"{ENVIRONMENT_URLS[name]}이(가) 가리키는 {where}에 닿지 않습니다.",
                f"{ENVIRONMENT_URLS[name]} points to {where}, which does not answer: {missing}",
            )
        return f"{where} (환경 변수 given)"

    return Task(name, check)


def _once(home: Home, env: dict[str, str]) -> list[Process | Task]:
    databases = tuple(name for name in DATABASES if (ROOT / "services" / name / "migrations" / "env.py").is_file())
    steps: list[Process | Task] = [
        Task("topics", _python(home, env, "topics", "shared.messaging.topics", "ensure"), ("kafka",))
    ]
    if databases:
        run = _python(home, env, "migrations", "shared.database", "migrate", *databases)
        steps.append(Task("migrations", run, ("postgres",)))
    return steps


def _python(home: Home, env: dict[str, str], name: str, module: str, *arguments: str) -> Callable[[], str]:
    return lambda: run_once(name, Launch((sys.executable, "-m", module, *arguments), env), home.log(name))


def _service(service: Service, port: int, env: dict[str, str]) -> Process:
    own = {**env, "GWANGSAN_HOST": "127.0.0.1", "GWANGSAN_PORT": str(port)}
    launch = Launch((sys.executable, "-m", service.module, *service.arguments), own)
    ready = http_ready(f"http://127.0.0.1:{port}/readyz")
    after = ("topics", "migrations", "redis", "issuer")
    return Process(service.name, lambda: launch, ready, after, port, stop_s=15, ready_s=120)
