"""`./dev lock`: resolve pyproject.toml anew into the two committed, hash-pinned requirement files."""

import shutil
import subprocess
import sys

from deploy.local.errors import LocalError
from deploy.local.home import ROOT

# uv.lock holds the addresses packages came from, which are this machine's business: only the hashes are committed.
EXPORT = (
    "export",
    "--frozen",
    "--quiet",
    "--no-header",
    "--no-annotate",
    "--no-emit-project",
    "--format",
    "requirements-txt",
)
TARGETS = {"requirements.lock": ("--all-groups",), "deploy/requirements.lock": ("--no-default-groups",)}


def relock() -> int:
    """Upgrade within pyproject's bounds and write both files."""
    uv = shutil.which("uv") or str(ROOT / ".gwangsan" / "bootstrap" / "venv" / "bin" / "uv")
    _run(uv, "lock", "--upgrade", "--python", sys.executable)
    for target, groups in TARGETS.items():
        _run(uv, *EXPORT, *groups, "--output-file", str(ROOT / target))
        sys.stdout.write(f"✓ {target}\n")
    return 0


def _run(*command: str) -> None:
    try:
        code = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode
    except FileNotFoundError as error:
        raise LocalError(
            "uv가 없습니다. ./dev 를 다시 실행하세요.", f"There is no {error.filename}: run ./dev again."
        ) from error
    if code != 0:
        raise LocalError(
            "잠금 파일을 다시 쓰지 못했습니다.", f"`{command[0]} {command[1]}` failed with exit code {code}."
        )
