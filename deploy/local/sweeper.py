"""A private stack must not outlive the process that started it, not even one killed with -9."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import state
from deploy.local.accounts import data_folder, unprivileged
from deploy.local.home import ROOT, Home


@contextmanager
def sweeping(home: Home, *, delete: bool = False) -> Iterator[None]:
    """While the block runs, a small process waits for this one to vanish; if it does, it ends (and deletes) what is left."""
    command = (sys.executable, "-m", "deploy.local.sweeper", str(home.folder), *(("--delete",) if delete else ()))
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True) as sweeper:
        try:
            yield
        finally:
            sweeper.terminate()


def main(folder: str, *flags: str) -> None:
    # Its standard input ends when, and only when, the process at the other end is gone.
    sys.stdin.buffer.read()
    state.end_orphans(Home(Path(folder)))
    if "--delete" in flags:
        erase(Home(Path(folder)))


def erase(home: Home) -> None:
    """The whole home, and PostgreSQL's data where it had to be outside of it."""
    shutil.rmtree(data_folder(home.folder, unprivileged()), ignore_errors=True)
    shutil.rmtree(home.folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
