"""Would the tests notice a wrong engine? Each entry of mutations.toml makes it wrong in one place; some test must fail for it.

    python -m tests.mutations [--only N …]

Says of each what found it: the model test, or else which other test of the engine. Exits 1 if any was found by none, or if the
line that it changes is not there any more. Minutes: the compiled loops are compiled anew for each.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

from deploy.local.home import ROOT

LIST = Path(__file__).with_suffix(".toml")
ENGINE = Path("services/matching/engine")
MODEL = "tests/unit/test_engine_model.py"
OTHERS = [
    f"tests/unit/test_engine_{name}.py"
    for name in ("presence", "wants", "places", "memory", "residents", "repeats", "standing")
]
NEEDED = ("services", "shared", "deploy", "tests", "data", "pyproject.toml")
LIMIT_S = 300


class Mutation(NamedTuple):
    """In `file`, `before` (which is there once) becomes `after`."""

    rule: str
    file: str
    before: str
    after: str


MUTATIONS = [Mutation(**given) for given in tomllib.loads(LIST.read_text())["mutation"]]


def applied(mutation: Mutation, tree: Path) -> str:
    """The file's text as it was; raises ValueError unless the line is there once."""
    path = tree / ENGINE / mutation.file
    text = path.read_text()
    if text.count(mutation.before) != 1:
        raise ValueError(f"{mutation.file} has {text.count(mutation.before)} times: {mutation.before!r}")
    path.write_text(text.replace(mutation.before, mutation.after))
    return text


def failing(tree: Path, *paths: str) -> str | None:
    """The first test that fails, None if all pass."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--tb=no",
        "-p",
        "no:randomly",
        f"--timeout={LIMIT_S}",
        *paths,
    ]
    env = {**os.environ, "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(tree / "compiled")}
    try:
        done = subprocess.run(
            command, cwd=tree, env=env, capture_output=True, text=True, check=False, timeout=2 * LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return "a loop without end"
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return found[1] if found else None if done.returncode == 0 else done.stdout[-300:]


def found_by(mutation: Mutation, tree: Path) -> str | None:
    text = applied(mutation, tree)
    try:
        return failing(tree, MODEL) or failing(tree, *OTHERS)
    finally:
        (tree / ENGINE / mutation.file).write_text(text)
        shutil.rmtree(tree / "compiled", ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int, action="append", metavar="N", help="the N-th alone")
    chosen = parser.parse_args().only or range(len(MUTATIONS))
    survived = 0
    with tempfile.TemporaryDirectory(prefix="gwangsan-mutations-") as folder:
        tree = Path(folder)
        for name in NEEDED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, tree / name)
        for nth in chosen:
            began = time.monotonic()
            try:
                found = found_by(MUTATIONS[nth], tree) or "NOBODY"
            except ValueError as error:
                found = f"GONE: {error}"
            survived += found.startswith(("NOBODY", "GONE"))
            sys.stdout.write(f"{nth:>2} {MUTATIONS[nth].rule:<32} {time.monotonic() - began:5.1f} s  {found}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survived} of {len(chosen)} found\n")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
