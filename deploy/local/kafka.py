"""Apache Kafka (KRaft, one node) as a child process."""

import base64
import os
import shutil
import signal
import uuid
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from deploy.local import artifacts, ports
from deploy.local.errors import LocalError, tail_of
from deploy.local.home import Home, cache_folder
from deploy.local.locks import try_hold
from deploy.local.probes import kafka_ready
from deploy.local.processes import Cancelled, Child, Launch, Process, run_once
from deploy.local.report import Quiet, Report

JVM = (
    *("-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true"),
    # Java 25 fails to find some of the call adapters it kept in a start cache, and fills the log saying so.
    *("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching"),
)
# Two threads collect in half the time of one, and while they do all fixes wait. A cleaner buffer of 16 MB (128 MB by default) is
# what a heap of 512 MB leaves room for.
SMALL = (
    *("-Xmx512m", "-XX:+UseParallelGC", "-XX:ParallelGCThreads=2"),
    # Before all is loaded and compiled each would stop everything once or twice, for longer than any collection.
    *("-XX:MetaspaceSize=96m", "-XX:SweeperThreshold=100"),
    # One machine for everything: the second compiler's work costs the product more than it gains the broker.
    "-XX:TieredStopAtLevel=1",
)
OPTIONS = "GWANGSAN_KAFKA_JVM"  # of Java, in place of SMALL
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
        return Process("kafka", self._prepare, kafka_ready(self.url), port=self.port, wave=2, stop_s=20, ready_s=180)

    def _prepare(self) -> Launch:
        parts = artifacts.kafka(self.report)
        if given := os.environ.get(OPTIONS):
            return self._launch(parts, tuple(given.split()))
        faster = _start_cache(parts)
        return self._launch(parts, (*SMALL, f"-XX:AOTCache={faster}") if faster.exists() else SMALL)

    def _launch(self, parts: artifacts.Kafka, flags: tuple[str, ...]) -> Launch:
        config = self._configure()
        if not (self.folder / "data" / "meta.properties").exists():
            self.format(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return Launch((*self._java(parts), *flags, logging, "-cp", parts.classpath, "kafka.Kafka", str(config)))

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

    def format(self, cluster: str) -> None:
        """Make the data folder of a new cluster of this id (22 characters of base64, URL-safe)."""
        parts, config = artifacts.kafka(self.report), self._configure()
        # One word: an id may begin with a dash, which the tool would take for an option.
        named = f"--cluster-id={cluster}"
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", named, "-c", str(config))
        launch = Launch((*self._java(parts), *SMALL, "-cp", parts.classpath, *tool))
        run_once("kafka-format", launch, self.home.log("kafka"))

    def _java(self, parts: artifacts.Kafka) -> tuple[str, ...]:
        return str(parts.java), *JVM, f"-Djava.io.tmpdir={self.folder / 'tmp'}"


def _start_cache(parts: artifacts.Kafka) -> Path:
    """Java's ahead-of-time cache of a Kafka start: with it a start takes 1 s instead of 2.5 s, and half the CPU time.

    It holds only for this Java at this place.
    """
    modules = parts.java.parents[1] / "lib" / "modules"
    key = uuid.uuid5(
        uuid.NAMESPACE_URL, f"{parts.java} {modules.stat().st_mtime_ns} {parts.classpath} {JVM} {SMALL}"
    ).hex[:12]
    return cache_folder() / f"kafka-{parts.digest}-{key}.aot"


def train(stopping: Event, report: Report) -> None:
    """Make the start cache, once, at the lowest priority: the first start does not wait for what only later ones need."""
    parts = artifacts.kafka(report)
    cache = _start_cache(parts)
    refused = cache.with_suffix(".refused")
    held = None if cache.exists() or refused.exists() else try_hold(cache.with_suffix(".lock"))
    if held is None:
        return
    home = Home(cache.with_suffix(".training"))
    try:
        _train(parts, cache, home, stopping)
    except LocalError as error:
        refused.write_text("\n".join(error.lines()), encoding="utf-8")
        report.note("Kafka 시동 캐시 없이 계속합니다.", f"Going on without the Kafka start cache. {error.english}")
    except Cancelled:
        cache.unlink(missing_ok=True)
    finally:
        shutil.rmtree(home.folder, ignore_errors=True)
        os.close(held)


def _train(parts: artifacts.Kafka, cache: Path, home: Home, stopping: Event) -> None:
    """Java writes the cache when the broker that was told to record its start ends."""
    part = cache.with_suffix(".part")
    home.prepare()
    taken = ports.pick(None, ())
    broker = Kafka(home, taken, ports.pick(None, (taken,)), Quiet())
    launch = broker._launch(parts, (*SMALL, f"-XX:AOTCacheOutput={part}"))
    idle = Launch(("nice", "-n", "19", *launch.command))
    child = Child(Process("kafka", lambda: idle, kafka_ready(broker.url), stop_s=120, ready_s=300), home.log("kafka"))
    try:
        child.await_ready(stopping)
        child.send(signal.SIGTERM)
        child.await_exit(stopping)
    except BaseException:
        child.end(signal.SIGKILL)
        raise
    if not part.exists():
        raise LocalError(
            "Java가 시동 캐시를 쓰지 못했습니다.", "Java wrote no start cache.", tail=tail_of(home.log("kafka"))
        )
    part.replace(cache)
