"""PostgreSQL refuses to be root: who it is instead, and which folders that user can reach."""

import hashlib
import os
import pwd
import stat
from pathlib import Path

from deploy.local.errors import LocalError
from deploy.local.home import cache_folder

CANDIDATES = ("postgres", "nobody", "daemon")


def unprivileged() -> tuple[int, int] | None:
    """(uid, gid) to become, when this process is root; otherwise nobody."""
    if os.geteuid() != 0:
        return None
    known = {account.pw_name: account for account in pwd.getpwall()}
    for found in (known[name] for name in CANDIDATES if name in known):
        return found.pw_uid, found.pw_gid
    raise LocalError(
        "PostgreSQL을 실행할 일반 사용자가 없습니다.",
        f"No unprivileged user to run PostgreSQL as: {', '.join(CANDIDATES)}.",
    )


def reachable(folder: Path, account: tuple[int, int] | None) -> bool:
    """Whether that user can enter every folder down to this one (those that do not exist yet will be made so)."""
    if account is None:
        return True
    uid, gid = account
    for place in (folder, *folder.parents):
        if not place.exists():
            continue
        found = place.stat()
        wanted = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH
        if not found.st_mode & wanted:
            return False
    return True


def parts_folder(account: tuple[int, int] | None) -> Path:
    """Where PostgreSQL's programs go: the shared cache, or a folder of root's that the other user can enter."""
    cache = cache_folder()
    return cache if reachable(cache, account) else _roots_own("parts")


def data_folder(home: Path, account: tuple[int, int] | None) -> Path:
    """Where this stack's PostgreSQL data goes: in its home, or outside it if its user could not enter that."""
    inside = home / "postgres"
    if reachable(inside, account):
        return inside
    return _roots_own(hashlib.sha256(str(home).encode()).hexdigest()[:12])


def _roots_own(name: str) -> Path:
    folder = Path("/var/tmp") / f"gwangsan-{name}"  # noqa: S108 ownership is checked below
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LocalError(f"{folder} 폴더가 다른 사용자의 것입니다.", f"The folder {folder} belongs to somebody else.")
    return folder
