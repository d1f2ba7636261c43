"""Generated passwords: on a machine with several users, loopback alone keeps nobody out."""

import os
import secrets
import threading
from pathlib import Path

from deploy.local.home import Home

# Processes of a wave are started side by side: two that make the same password would each begin with their own.
_making = threading.Lock()


def password(home: Home, name: str) -> str:
    """The stack's password of that name; made on first use, readable by its owner alone."""
    path = home.folder / "run" / f"{name}.password"
    with _making:
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Never readable by others, not even while it is written; never half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
