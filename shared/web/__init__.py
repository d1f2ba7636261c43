"""HTTP conventions of every service: problem details, idempotency keys, ETags, cursors, health, metrics."""

from shared.web.app import Check, create_app, serve
from shared.web.problems import Problem

__all__ = ["Check", "Problem", "create_app", "serve"]
