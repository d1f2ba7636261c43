"""`./dev test`: what CI runs, in the order in which failing is cheapest."""

import argparse
import os
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass

from deploy.local.home import ROOT

PYTHON = (sys.executable, "-m")
SCRIPTS = sysconfig.get_path("scripts") + "/"
EPILOG = """Without pytest arguments every check runs, then all tests. With some (./dev test tests/unit -k geohash), only
pytest runs with them, unless --all-checks is given. Everything that is not named above goes to pytest as it is."""


@dataclass(frozen=True)
class Check:
    """One check before the tests."""

    name: str
    command: tuple[str, ...]


CHECKS = (
    Check("format (ruff)", (*PYTHON, "ruff", "format", "--check", ".")),
    Check("lint (ruff)", (*PYTHON, "ruff", "check", ".")),
    Check("types (mypy strict)", (*PYTHON, "mypy")),
    Check("import boundaries (import-linter)", (SCRIPTS + "lint-imports",)),
    Check("contracts as generated", (*PYTHON, "shared.contracts", "check")),
)


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; 0 only if all of it passed. pytest's closing line comes last."""
    parser = argparse.ArgumentParser(prog="./dev test", description="검사와 시험. Checks and tests.", epilog=EPILOG)
    parser.add_argument("--all-checks", action="store_true", help="run the checks even when pytest arguments are given")
    parser.add_argument("--checks-only", action="store_true", help="run the checks and no test")
    parser.add_argument(
        "--stack", choices=("embedded", "containers"), help="what integration tests run on (default embedded)"
    )
    known, pytest = parser.parse_known_args(arguments)
    failed = [check.name for check in CHECKS if not _passes(check)] if known.all_checks or not pytest else []
    if failed:
        _say(f"✗ {', '.join(failed)}")
    if known.checks_only:
        return 1 if failed else 0
    if known.stack:
        pytest = [*pytest, f"--stack={known.stack}"]
    code = subprocess.run((*PYTHON, "pytest", *pytest), cwd=ROOT, env=_environment(), check=False).returncode
    return code or (1 if failed else 0)


def _passes(check: Check) -> bool:
    began = time.monotonic()
    done = subprocess.run(
        check.command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    passed = done.returncode == 0
    _say(f"{'ok    ' if passed else 'failed'}  {check.name}  {time.monotonic() - began:.1f} s")
    if not passed:
        _say(done.stdout.decode("utf-8", "replace").rstrip())
    return passed


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
