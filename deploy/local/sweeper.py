"""A private stack must not outlive the process that started it, not even one killed with -9."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import state
from deploy.local.home import ROOT, Home


@contextmanager
def sweeping(home: Home) -> Iterator[None]:
    """While the block runs, a small process waits for this one to vanish; if it does, it ends what is left."""
    command = (sys.executable, "-m", "deploy.local.sweeper", str(home.folder))
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True) as sweeper:
        try:
            yield
        finally:
            sweeper.terminate()


def main(folder: str) -> None:
    # Its standard input ends when, and only when, the process at the other end is gone.
    sys.stdin.buffer.read()
    state.end_orphans(Home(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1])
