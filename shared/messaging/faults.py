"""Which faults waiting mends, and how a fault is told without giving away what was being written."""

from __future__ import annotations

import asyncpg
import redis.exceptions
import sqlalchemy.exc
from aiokafka.errors import KafkaError

# PostgreSQL's classes of SQLSTATE: connection, resources, operator intervention, system error.
UNAVAILABLE = ("08", "53", "57", "58")
QUERY_CANCELED = "57014"

_WAITING_MENDS = (
    KafkaError,
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlalchemy.exc.TimeoutError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.RedisClusterException,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.TryAgainError,
)


def is_infrastructure(error: BaseException) -> bool:
    """A fault of a store's or broker's availability, which waiting mends; not one of the record."""
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        cause = None if error.orig is None else error.orig.__cause__
        return error.connection_invalidated or (cause is not None and is_infrastructure(cause))
    if isinstance(error, ValueError):
        return False  # asyncpg tells a value that does not fit as an InterfaceError which is a ValueError too
    if isinstance(error, asyncpg.PostgresError):
        return _unavailable(error.sqlstate)
    return isinstance(error, _WAITING_MENDS)


def _unavailable(sqlstate: str | None) -> bool:
    return sqlstate is not None and sqlstate.startswith(UNAVAILABLE) and sqlstate != QUERY_CANCELED


def describe(error: BaseException) -> str:
    """The fault in one line, without the parameters of the statement: they may be a position or a name."""
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return str(error.orig).splitlines()[0] if error.orig else type(error).__name__
    return " ".join(str(error).split()) or type(error).__name__
