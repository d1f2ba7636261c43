"""Where a stack keeps what it writes, and where the code it runs is."""

import os
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import unwritable

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """One stack's data folder. Two stacks never share one: the lock inside it is held while a stack runs."""

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / "run" / "lock"

    @property
    def state(self) -> Path:
        return self.folder / "run" / "state.json"

    @property
    def issuer(self) -> Path:
        return self.folder / "issuer"

    def log(self, process: str) -> Path:
        return self.folder / "logs" / f"{process}.log"

    def prepare(self) -> None:
        """Create the folders; what is inside them is for this user alone, so the files are made 0600 where they tell."""
        try:
            for name in ("run", "logs", "issuer"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(error, self.folder) from error


def default_home() -> Home:
    """GWANGSAN_HOME, or the git-ignored folder of this clone."""
    named = os.environ.get("GWANGSAN_HOME")
    return Home(Path(named).expanduser().resolve() if named else ROOT / ".gwangsan")


def cache_folder() -> Path:
    """Shared by all clones of this user, so that a second clone fetches nothing."""
    named = os.environ.get("GWANGSAN_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser()
    try:
        (shared / "gwangsan").mkdir(parents=True, exist_ok=True)
    except OSError:
        return default_home().folder / "cache"
    return (shared / "gwangsan").resolve()
