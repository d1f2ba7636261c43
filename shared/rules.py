"""How a domain says no: the field and the rule by name. Pure; `shared.web.problems` turns it into a problem, once."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818
    """What was asked breaks a rule; `field` and `rule` name where and which."""

    def __init__(self, field: str, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.field, self.rule, self.detail = field, rule, detail


class Conflict(Refused):
    """Right in itself, but not in the state that the thing is in."""
