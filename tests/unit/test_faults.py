"""Which faults waiting mends: decided on real errors of real clients where no server is needed."""

from __future__ import annotations

import asyncpg
import pytest
import redis.exceptions
import sqlalchemy.exc
from aiokafka.errors import KafkaConnectionError
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from shared.messaging.faults import describe, is_infrastructure


def wrapped(cause: BaseException, adapter: str = "Error") -> sqlalchemy.exc.DBAPIError:
    """As SQLAlchemy's asyncpg dialect hands an error on."""
    adapted = getattr(AsyncAdapt_asyncpg_dbapi, adapter)(str(cause), cause)
    adapted.__cause__ = cause
    return sqlalchemy.exc.DBAPIError("INSERT INTO fix VALUES ($1)", (35.1595,), adapted)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        KafkaConnectionError(),
        redis.exceptions.ConnectionError(),
        redis.exceptions.MaxConnectionsError(),
        redis.exceptions.ClusterDownError("The cluster is down"),
        redis.exceptions.RedisClusterException("no server answers"),
        sqlalchemy.exc.TimeoutError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.InternalClientError("another operation is in progress"),
        wrapped(asyncpg.AdminShutdownError("terminating connection")),
        wrapped(asyncpg.TooManyConnectionsError("sorry")),
        wrapped(asyncpg.DiskFullError("no space")),
        wrapped(asyncpg.InterfaceError("connection is closed")),
    ],
)
def test_waiting_mends_a_store_that_is_away(error: BaseException) -> None:
    assert is_infrastructure(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        KeyError(),
        redis.exceptions.ResponseError("wrong type"),
        wrapped(asyncpg.UniqueViolationError("twice")),
        wrapped(asyncpg.CharacterNotInRepertoireError("a zero byte")),
        wrapped(asyncpg.QueryCanceledError("too slow")),
        wrapped(asyncpg.DeadlockDetectedError("each other")),
    ],
)
def test_waiting_does_not_mend_a_record_that_does_not_fit(error: BaseException) -> None:
    assert not is_infrastructure(error)


def test_the_description_of_a_database_error_leaves_its_parameters_out() -> None:
    told = describe(wrapped(asyncpg.UniqueViolationError("twice")))
    assert "twice" in told
    assert "35.1595" not in told
    assert "INSERT" not in told
