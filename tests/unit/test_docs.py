"""The documents are held to the tree: links resolve, what is named exists, decisions keep their form, no machine shows."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import typer.main

from deploy import settings_doc
from deploy.local.cli import app
from deploy.local.home import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"\./dev ([a-z][a-z-]*)")
MODULE = re.compile(r"(?:python -m|\./dev run) ([a-z_0-9]+(?:\.[a-z_0-9]+)*)")
PATH = re.compile(r"(?:services|shared|deploy|tests|examples|web|data|docs)/[\w./-]*")
DOCUMENT = re.compile(r"docs/[\w/-]+\.(?:md|json)")
SETTING = re.compile(r"GWANGSAN_([A-Z_]+)")
# Read from the environment by deploy/local, docker-compose.yml and the tests, not by a settings class.
OTHER_SETTINGS = {
    "GATEWAY_PORT",
    "GATEWAY_URL",
    "HOME",
    "CACHE",
    "BIND",
    "PUBLIC_URL",
    "SAMPLE_PASSWORD",
    "JOBS_SECRET",
}

# The tree must not tell whose machine it was made on, nor name the hosts that packages come from (joined here, so that
# this file does not either).
HOSTS = tuple(
    ".".join(parts)
    for parts in (("pypi", "org"), ("repo", "maven"), ("repo1", "maven"), ("crates", "io"), ("ghcr", "io"))
)
MACHINE = re.compile(r"(?<![\w.:/])/(?:home|Users|work|root|tmp/[\w-]+)/[\w.-]+")
TEXT = {
    ".md", ".py", ".toml", ".yml", ".yaml", ".js", ".css", ".html", ".json", ".lock", ".svg", ".txt", ".ini", ".conf", ".sh", "",
}  # fmt: skip
THIS = "tests/unit/test_docs.py"


@cache
def tracked() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git clone, so there is no list of tracked files")
    return tuple(name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file())


def documents() -> list[Path]:
    written = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "data" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    return sorted(written)


def decisions() -> list[Path]:
    return sorted((ROOT / "docs" / "decisions").glob("*.md"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_in(text: str) -> list[str]:
    """What stands in backticks, in line or as a block."""
    return [*BLOCK.findall(text), *CODE.findall(BLOCK.sub("", text))]


@pytest.mark.parametrize("document", documents(), ids=named)
def test_relative_links_resolve(document: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(document.read_text(encoding="utf-8"))]
    relative = [target for target in targets if target and "://" not in target and not target.startswith("mailto:")]
    assert [target for target in relative if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", documents(), ids=named)
def test_commands_modules_and_files_that_are_named_exist(document: Path) -> None:
    code = "\n".join(code_in(document.read_text(encoding="utf-8")))
    commands = set(typer.main.get_group(app).commands)
    assert set(COMMAND.findall(code)) - commands == set()
    modules = {module for module in MODULE.findall(code) if "…" not in module}
    assert {module for module in modules if importlib.util.find_spec(module) is None} == set()
    paths = {path.rstrip("./") for path in PATH.findall(code)}
    assert {path for path in paths if not (ROOT / path).exists()} - {"services"} == set()


@pytest.mark.parametrize("document", documents(), ids=named)
def test_settings_that_are_named_exist(document: Path) -> None:
    told = set(SETTING.findall(document.read_text(encoding="utf-8")))
    models = [importlib.import_module(f"services.{service}.settings").Settings for service in settings_doc.services()]
    known = {name.upper() for model in models for name in model.model_fields} | OTHER_SETTINGS
    if named(document) != "docs/settings.md":
        assert told - known == set()


def test_the_readme_opens_with_a_sentence_a_picture_two_commands_and_an_event() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    first_screen = "\n".join(lines[:30])
    assert lines[2].startswith("**")
    blocks = BLOCK.findall(first_screen)
    assert [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if "./dev" in line] == [
        "./dev up",
        "./dev test",
    ]
    event = next(block for block in blocks if block.startswith("{"))
    assert {"kind", "headline", "distance_m", "why"} <= set(json.loads(event))


def test_every_decision_fits_a_page_and_says_when_to_look_again() -> None:
    numbers = [decision.name[:4] for decision in decisions()]
    assert numbers == sorted(set(numbers))
    for decision in decisions():
        text = decision.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 40, decision.name
        assert re.match(r"\d{4}-[a-z0-9-]+\.md$", decision.name), decision.name
        for part in ("context", "decision", "consequences"):
            assert re.search(rf"^(?:\*\*|#+ ){part}", text, re.I | re.M), (decision.name, part)
        assert re.search(r"^(?:\*\*|#+ )(?:look again|revisit)", text, re.I | re.M), decision.name


def test_no_tracked_text_names_a_registry_a_machine_or_a_maker() -> None:
    found = []
    for name in tracked():
        path = ROOT / name
        if path.suffix not in TEXT or name == THIS:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [(name, host) for host in HOSTS if host in text]
        found += [(name, match.group()) for match in (MACHINE.search(text),) if match]
    assert found == []


def test_documents_that_code_points_to_exist() -> None:
    pointing = [name for name in tracked() if name.endswith((".py", ".yml", "Caddyfile")) and name != THIS]
    told = {doc for name in pointing for doc in DOCUMENT.findall((ROOT / name).read_text(encoding="utf-8"))}
    assert {doc for doc in told if not (ROOT / doc).exists()} == set()


def test_data_tells_where_it_came_from_and_how_much_it_is() -> None:
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for file in sorted((ROOT / "data").iterdir()):
        if file.name != "README.md":
            assert f"- **{file.name}** –" in text, file.name
            assert f"| {rows_of(file):,}" in text, file.name
    for source in ("admdongkor", "KOSTAT SGIS", "ECML/PKDD 2015", "CC BY 4.0", "public data"):
        assert source in text


def rows_of(file: Path) -> int:
    if file.suffix == ".geojson":
        return len(json.loads(file.read_text(encoding="utf-8"))["features"])
    if file.suffix == ".gz":
        with gzip.open(file, "rt", encoding="utf-8") as unpacked:
            return sum(1 for _ in csv.reader(unpacked)) - 1
    with file.open(encoding="utf-8-sig", newline="") as plain:
        return sum(1 for _ in csv.reader(plain)) - 1
