"""Apache Kafka (KRaft, one node) as a child process."""

import base64
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from deploy.local import artifacts, ports
from deploy.local.errors import LocalError
from deploy.local.home import Home, cache_folder
from deploy.local.locks import waiting_for
from deploy.local.probes import kafka_ready
from deploy.local.processes import Child, Launch, Process, run_once
from deploy.local.report import Report

# Serial collection and a cleaner buffer of 16 MB (128 MB by default) are what a heap of 512 MB leaves room for.
JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true")
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.retention.check.interval.ms": "60000",
    # A broker killed with -9 may register again only when its old session ends.
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
}
LOGGING = """status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %m (%c{1})%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


@dataclass(frozen=True)
class Kafka:
    """One broker of one stack."""

    home: Home
    port: int
    controller_port: int
    report: Report

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        return self.home.folder / "kafka"

    def process(self) -> Process:
        return Process("kafka", self._prepare, kafka_ready(self.url), port=self.port, wave=2, stop_s=20)

    def _prepare(self) -> Launch:
        parts = artifacts.kafka(self.report)
        faster = _trained(parts, self.report)
        return self._launch(parts, (f"-XX:AOTCache={faster}",) if faster else ())

    def _launch(self, parts: artifacts.Kafka, flags: tuple[str, ...]) -> Launch:
        config = self._configure()
        java = (str(parts.java), *JVM, f"-Djava.io.tmpdir={self.folder / 'tmp'}")
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(java, parts, config)
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return Launch((*java, *flags, logging, "-cp", parts.classpath, "kafka.Kafka", str(config)))

    def _configure(self) -> Path:
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOGGING, encoding="utf-8")
        addresses = {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.folder / "data"),
        }
        config = self.folder / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in (SETTINGS | addresses).items()), encoding="utf-8")
        return config

    def _format(self, java: tuple[str, ...], parts: artifacts.Kafka, config: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster, "-c", str(config))
        run_once("kafka-format", Launch((*java, "-cp", parts.classpath, *tool)), self.home.log("kafka"))


def _trained(parts: artifacts.Kafka, report: Report) -> Path | None:
    """Java's ahead-of-time cache of a Kafka start: it cuts the start from 2.5 s to 1 s and its CPU time by half.

    It holds only for this Java at this place, and is made once. Without it Kafka starts too, so failing is no failure.
    """
    modules = parts.java.parents[1] / "lib" / "modules"
    key = uuid.uuid5(uuid.NAMESPACE_URL, f"{parts.java} {modules.stat().st_mtime_ns} {parts.classpath} {JVM}").hex[:12]
    cache = cache_folder() / f"kafka-{parts.digest}-{key}.aot"
    refused = cache.with_suffix(".refused")
    with waiting_for(cache.with_suffix(".lock")):
        if not cache.exists() and not refused.exists():
            _train(parts, cache, refused, report)
    return cache if cache.exists() else None


def _train(parts: artifacts.Kafka, cache: Path, refused: Path, report: Report) -> None:
    began = time.monotonic()
    report.begun("kafka-aot")
    home = Home(cache.with_suffix(".training"))
    part = cache.with_suffix(".part")
    home.prepare()
    taken = ports.pick(None, ())
    broker = Kafka(home, taken, ports.pick(None, (taken,)), report)
    try:
        launch = broker._launch(parts, (f"-XX:AOTCacheOutput={part}",))
        child = Child(Process("kafka", lambda: launch, kafka_ready(broker.url), stop_s=60), home.log("kafka"))
        try:
            child.await_ready(Event())
        finally:
            child.end()
        if part.exists():
            part.replace(cache)
    except LocalError as error:
        report.note("Kafka 시동 캐시 없이 계속합니다.", f"Going on without the Kafka start cache: {error.english}")
    if not cache.exists():
        refused.touch()
    shutil.rmtree(home.folder, ignore_errors=True)
    report.done("kafka-aot", "", time.monotonic() - began)
