"""How often one person may write (shared.web.limits)."""

from __future__ import annotations

from typing import Any, Literal

from shared.web.limits import limited_in

Act = Literal["writes", "claims", "reports"]


def limited(act: Act) -> Any:
    """A dependency: 429 with Retry-After beyond the act's setting `jobs_<act>_per_minute`."""
    return limited_in("jobs", act)
