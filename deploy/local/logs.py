"""`./dev logs`."""

import sys
import time

from deploy.local.errors import LocalError, tail_of
from deploy.local.home import default_home


def show(process: str | None, *, follow: bool, lines: int) -> int:
    """The last lines of one log, and what is added to it; without a name, the names."""
    home = default_home()
    names = sorted(log.stem for log in (home.folder / "logs").glob("*.log"))
    if process is None:
        sys.stdout.write("\n".join(names or ["아직 로그가 없습니다. No logs yet."]) + "\n")
        return 0
    log = home.log(process)
    if process not in names:
        known = ", ".join(names) or "-"
        raise LocalError(f"‘{process}’의 로그가 없습니다.", f"No log of {process!r}; there are: {known}")
    sys.stdout.write("".join(f"{line}\n" for line in tail_of(log, lines)))
    if not follow:
        return 0
    try:
        with log.open("r", encoding="utf-8", errors="replace") as file:
            file.seek(0, 2)
            while True:
                sys.stdout.write(file.read())
                sys.stdout.flush()
                time.sleep(0.2)
    except KeyboardInterrupt:
        return 0
