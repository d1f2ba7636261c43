"""Settings every process has, read once from the environment (prefix `GWANGSAN_`). Documented in docs/settings.md."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PlatformSettings(BaseSettings):
    """Frozen; a service adds its own fields in `services/<service>/settings.py`."""

    model_config = SettingsConfigDict(env_prefix="GWANGSAN_", frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses development keys"
    )
    kafka_url: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port, comma separated")
    postgres_url: str = Field(
        "postgresql://gwangsan@127.0.0.1:5432", description="PostgreSQL server; each service adds its own database name"
    )
    database_prefix: str = Field(
        "", pattern="^[a-z0-9_]{0,30}$", description="goes before every database name; lets stacks share a server"
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis, the disposable index; a cluster is redis+cluster://host:port,host:port",
    )
    oidc_issuer: str = Field("http://127.0.0.1:8080/auth", description="issuer that tokens must name")
    oidc_audience: str = Field("gwangsan", description="audience that tokens must name")
    oidc_jwks_url: str | None = Field(None, description="where the issuer's keys are; found by discovery if unset")
    host: str = Field("127.0.0.1", description="address this process listens on")
    port: int = Field(
        8000, ge=0, le=65_535, description="port this process listens on; workers serve health and metrics"
    )
    public_url: str = Field(
        "http://127.0.0.1:8080", pattern=r"^https?://[^\s/]+$",
        description="the product's one address, for links in messages and feeds",
    )  # fmt: skip
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level that is logged")
    otlp_endpoint: str | None = Field(None, description="OTLP/HTTP endpoint for traces; tracing is off without it")
    outbox_poll_s: float = Field(1.0, gt=0, description="how often the relay looks without being woken")
    retry_attempts: int = Field(5, ge=1, description="tries of a failing record before it becomes a dead letter")
    retry_backoff_s: float = Field(0.2, gt=0, description="first wait between tries; doubles, at most 5 s")
    dead_letters_per_minute: int = Field(100, ge=1, description="more than this and the consumer stops instead")
    dead_letters_in_a_row: int = Field(
        20, ge=1, description="this many without one success between, and the consumer stops instead"
    )
    stale_after_s: float = Field(30.0, gt=0, description="a consumer with lag and no progress for this long is unready")

    def database_url(self, name: str) -> str:
        """SQLAlchemy's asyncpg URL of one service's database."""
        scheme, _, rest = self.postgres_url.partition("://")
        if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
            raise ValueError("GWANGSAN_POSTGRES_URL must begin with postgresql://")
        authority, _, query = rest.partition("?")
        suffix = f"?{query}" if query else ""
        return f"postgresql+asyncpg://{authority.rstrip('/')}/{self.database_prefix}{name}{suffix}"
