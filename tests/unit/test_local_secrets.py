"""Passwords of the local stack."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from deploy.local.home import Home
from deploy.local.secrets import password

ASKING, TIMES = 8, 40


def test_all_who_ask_at_once_for_a_password_that_is_not_made_yet_get_the_same(tmp_path: Path) -> None:
    together = Barrier(ASKING)

    def asked(nth: int) -> str:
        together.wait(10)
        return password(Home(tmp_path), f"redis-{nth}")

    with ThreadPoolExecutor(ASKING) as pool:
        for nth in range(TIMES):
            told = list(pool.map(asked, [nth] * ASKING))
            assert len(set(told)) == 1
            assert len(told[0]) == 32
