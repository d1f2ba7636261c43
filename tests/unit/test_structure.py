"""The structure holds: what every topic, route, metric, setting, file and function must have."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from deploy import settings_doc
from shared.auth import current_principal
from shared.contracts import EVENT_BY_TYPE, EVENTS, TOPICS
from shared.contracts.dead_letter import DEAD_LETTERS
from shared.settings import PlatformSettings

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "tests" / "contract"
PACKAGES = ("shared", "services", "deploy", "examples", "demo", "tests")
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/app.py"))

# What is open may be read by anybody; what it is to a person may not.
PUBLIC = {
    ("matching", "GET", "/dongs"),
    ("jobs", "GET", "/postings"),
    ("jobs", "GET", "/postings/{posting_id}"),
    ("jobs", "GET", "/rules"),
    ("jobs", "GET", "/rules/categories"),
    ("jobs", "GET", "/profile-keys"),
    ("jobs", "POST", "/profile-summaries/check"),
    ("spaces", "GET", "/spaces"),
    ("spaces", "GET", "/spaces/{space_id}"),
    ("spaces", "GET", "/spaces/{space_id}/calendar"),
    ("spaces", "GET", "/holidays"),
    ("spaces", "GET", "/places"),
    ("spaces", "GET", "/calendar.ics"),
    ("notices", "GET", "/notices"),
    ("notices", "GET", "/notices/{notice_id}"),
    ("notices", "GET", "/feeds/{form}"),
    ("notices", "GET", "/feeds/cap/{notice_id}"),
    ("notices", "GET", "/statistics"),
    ("notices", "GET", "/statistics/{statistic_id}"),
    ("notices", "GET", "/statistics/{statistic_id}/revisions"),
    ("notices", "GET", "/statistics/{statistic_id}/chart.svg"),
    ("notices", "GET", "/statistics/{statistic_id}/table.html"),
    ("notices", "GET", "/statistics/{statistic_id}/table.csv"),
    ("notices", "GET", "/statistics/{statistic_id}/embed"),
    ("matching", "GET", "/unsubscribe"),
    ("matching", "POST", "/unsubscribe"),
    ("delivery", "GET", "/push-key"),
    ("delivery", "GET", "/mail-confirmation"),
    ("delivery", "POST", "/mail-confirmation"),
    ("delivery", "GET", "/unsubscribe"),
    ("delivery", "POST", "/unsubscribe"),
    ("notices", "GET", "/notices/{notice_id}/revisions"),
    ("notices", "GET", "/notices/{notice_id}/diff"),
    ("notices", "GET", "/notices/{notice_id}/comments"),
    ("notices", "GET", "/search"),
    ("notices", "GET", "/channels"),
    ("notices", "GET", "/channels/{channel_id}"),
}
HEALTH = {"/healthz", "/readyz", "/metrics"}
DOCUMENTATION = {"/openapi.json"}
REPLACING = re.compile(r"([\w.]*Mock|monkeypatch[.]setattr|([\w]+[.])?patch([.]object)?)")
FORBIDDEN = re.compile(r"^(utils?|helpers?|commons?|managers?|misc)$")
PART_OF_A_NAME = re.compile(r"(^|_)(utils?|helpers?|commons?|managers?)(_|$)")
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40


def sources(*packages: str) -> list[Path]:
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "__pycache__" not in path.parts and "node_modules" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_has_an_owner_a_reader_and_for_each_event_an_example_and_a_frozen_schema(topic) -> None:  # type: ignore[no-untyped-def]
    assert topic.owners
    assert topic.consumers or topic.external
    events = [event for event in EVENTS if topic.name == event.TOPIC]
    assert bool(events) != (topic is DEAD_LETTERS)
    for event in events:
        assert (CONTRACTS / "schemas" / f"{event.TYPE}.json").exists()
        assert list((CONTRACTS / "examples" / event.TYPE).glob("*.json"))


def test_the_owners_and_consumers_of_a_topic_exist() -> None:
    for topic in TOPICS:
        if topic is not DEAD_LETTERS:
            assert set(topic.owners) <= set(SERVICES), topic.name
            assert set(topic.consumers) - {"examples"} <= set(SERVICES), topic.name


def test_every_event_is_registered_under_its_own_type_and_a_known_topic() -> None:
    assert len(EVENT_BY_TYPE) == len(EVENTS)
    assert {event.TOPIC for event in EVENTS} <= {topic.name for topic in TOPICS}


def calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from calls(inner)


def routes_of(service: str) -> list[tuple[str, str, bool]]:
    """(method, path, whether it authenticates) of every route of a service, built as its process builds it."""
    settings = importlib.import_module(f"services.{service}.settings").Settings()
    app = importlib.import_module(f"services.{service}.app").build(settings)
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        authenticates = isinstance(route, APIRoute) and current_principal in set(calls(context.dependant))
        found += [
            (method, str(context.path), authenticates) for method in sorted(context.methods or ()) if method != "HEAD"
        ]
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_authenticates_or_is_listed_as_public(service: str) -> None:
    routes = routes_of(service)
    assert {path for _, path, _ in routes} >= HEALTH
    for method, path, authenticates in routes:
        if path not in HEALTH | DOCUMENTATION:
            assert authenticates != ((service, method, path) in PUBLIC), f"{service}: {method} {path}"


def test_every_public_route_exists() -> None:
    existing = {(service, method, path) for service in SERVICES for method, path, _ in routes_of(service)}
    assert existing >= PUBLIC


@pytest.mark.parametrize("path", sources("shared", "services", "deploy", "examples", "demo"), ids=name_of)
def test_metrics_are_declared_in_one_place_alone(path: Path) -> None:
    made = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client":
            assert name_of(path) == "shared/telemetry.py" or not made & {alias.name for alias in node.names}
        if isinstance(node, ast.Import) and name_of(path) != "shared/telemetry.py":
            assert "prometheus_client" not in {alias.name for alias in node.names}


def test_no_metric_has_a_label_that_could_hold_a_person_or_a_place() -> None:
    from prometheus_client import REGISTRY

    known = {"service", "method", "route", "status", "group", "topic", "outcome", "kind", "cause", "reason", "what"}
    import shared.telemetry

    for name, metric in vars(shared.telemetry).items():
        if name.isupper() and hasattr(metric, "_labelnames"):
            assert set(metric._labelnames) <= known, name
    assert REGISTRY.get_sample_value("gwangsan_streams_open") is not None


def test_every_setting_is_described_and_the_document_is_up_to_date() -> None:
    for service in settings_doc.services():
        model: type[PlatformSettings] = importlib.import_module(f"services.{service}.settings").Settings
        assert model.model_config.get("frozen")
        for name, field in model.model_fields.items():
            assert field.description, f"{service}: {name}"
    assert settings_doc.main(["check"]) == 0


def test_no_two_services_mean_different_things_by_one_setting() -> None:
    meaning: dict[str, str | None] = {}
    for service in settings_doc.services():
        for name, field in importlib.import_module(f"services.{service}.settings").Settings.model_fields.items():
            assert meaning.setdefault(name, field.description) == field.description, name


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=name_of)
def test_nothing_is_called_utils_helpers_common_or_manager(path: Path) -> None:
    for part in path.relative_to(ROOT).with_suffix("").parts:
        assert not PART_OF_A_NAME.search(part), part
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            words = re.findall(r"[A-Z][a-z]+", node.name)
            assert not any(FORBIDDEN.match(word.lower()) for word in words), node.name


def rooms() -> list[Path]:
    return [
        folder
        for service in SERVICES
        for folder in sorted((ROOT / "services" / service).iterdir())
        if folder.is_dir() and folder.name not in {"__pycache__", "migrations"}
    ]


@pytest.mark.parametrize("folder", rooms(), ids=name_of)
def test_the_rooms_of_a_capability_have_their_names(folder: Path) -> None:
    """`api`, `handlers`, `domain`, `store`, `models`: where one is there, it holds what it says."""
    if (api := folder / "api.py").exists():
        assert "APIRouter" in api.read_text(encoding="utf-8")
    if (handlers := folder / "handlers.py").exists() and "async def on_" in handlers.read_text(encoding="utf-8"):
        assert "HANDLERS" in handlers.read_text(encoding="utf-8")
    for path in sources(name_of(folder)):
        text = path.read_text(encoding="utf-8")
        if path.name != "api.py":
            assert "APIRouter(" not in text, f"routes belong into api.py: {name_of(path)}"


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=name_of)
def test_files_and_functions_stay_small_enough_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = length(node) - sum(
                length(inner) for inner in ast.walk(node) if inner is not node and is_function(inner)
            )
            assert lines <= MOST_LINES_OF_A_FUNCTION, f"{node.name}: {lines} lines"


def is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def length(node: ast.AST) -> int:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return int(last) - int(first) + 1


def sleeps(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that wait for a time, other than between two looks at a condition."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.While):
            continue
        called = ast.unparse(child.func) if isinstance(child, ast.Call) else ""
        if (
            isinstance(child, ast.Call)
            and called in {"time.sleep", "asyncio.sleep"}
            and ast.unparse(child.args[0]) != "0"
        ):
            yield child
        yield from sleeps(child)


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=name_of)
def test_nothing_is_left_to_be_implemented(path: Path) -> None:
    """What others must bring is abstract: whoever lacks it cannot be made, instead of failing once it is called."""
    raised = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Raise)]
    assert [node.lineno for node in raised if node.exc and "NotImplemented" in ast.unparse(node.exc)] == []


@pytest.mark.parametrize("path", sources("tests"), ids=name_of)
def test_tests_neither_sleep_for_a_time_nor_replace_our_own_code(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert "bench" in path.parts or [call.lineno for call in sleeps(tree)] == []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert not REPLACING.fullmatch(called), f"line {node.lineno}"
