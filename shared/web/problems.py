"""RFC 9457 problem details with a stable `type`, and the field and rule where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.messaging.faults import is_infrastructure
from shared.rules import Conflict, Refused

log = structlog.get_logger()

TYPE_BASE = "https://gwangsan.example/problems/"
MEDIA_TYPE = "application/problem+json"
STATUS_SLUGS = {
    400: "bad-request", 401: "unauthenticated", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    409: "conflict", 412: "precondition-failed", 413: "too-large", 415: "unsupported-media-type", 422: "invalid",
    428: "precondition-required", 429: "too-many-requests", 503: "unavailable",
}  # fmt: skip

_TEXT = {"type": "string"}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "RFC 9457 problem details; `errors` name each field and the rule it breaks",
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status"],
                    "properties": {
                        "type": {"type": "string", "format": "uri"},
                        "title": _TEXT,
                        "status": {"type": "integer"},
                        "detail": _TEXT,
                        "errors": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["field", "rule", "detail"],
                                "properties": {"field": _TEXT, "rule": _TEXT, "detail": _TEXT},
                            },
                        },
                    },
                }
            }
        },
    }
}


class Problem(Exception):  # noqa: N818
    """Raise to answer with a problem. `slug` is its stable name; `extra` are further members, such as `errors`."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        *,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(title)
        self.status, self.slug, self.title, self.detail = status, slug, title, detail
        self.headers = dict(headers or {})
        self.extra = extra

    def response(self) -> JSONResponse:
        body = {"type": TYPE_BASE + self.slug, "title": self.title, "status": self.status, **self.extra}
        if self.detail is not None:
            body["detail"] = self.detail
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid(field: str, rule: str, detail: str) -> Problem:
    """422 for one field that breaks one rule."""
    return Problem(422, "invalid", "요청이 규칙에 맞지 않습니다 / The request breaks a rule",
                   errors=[{"field": field, "rule": rule, "detail": detail}])  # fmt: skip


def of_refusal(refused: Refused) -> Problem:
    """What a domain refused: 409 where the state forbids it, 422 where the request breaks a rule."""
    problem = invalid(f"body.{refused.field}", refused.rule, refused.detail)
    if isinstance(refused, Conflict):
        problem.status, problem.slug = 409, STATUS_SLUGS[409]
        problem.title = "지금 상태에서는 할 수 없습니다 / Its state does not allow this"
    return problem


def not_found(what: str) -> Problem:
    return Problem(404, "not-found", f"찾을 수 없습니다 / No such {what}")


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [{"field": _printable(e["loc"]), "rule": e["type"], "detail": e["msg"]} for e in error.errors()]
    return Problem(422, "invalid", "요청이 규칙에 맞지 않습니다 / The request breaks a rule", errors=errors)


def _printable(loc: Sequence[int | str]) -> str:
    """A name that was sent may hold a lone surrogate, which no answer can carry."""
    return ".".join(str(part) for part in loc).encode("utf-8", "replace").decode()


def install(app: FastAPI) -> None:
    """Answer every error as a problem; an unforeseen one is logged whole and told without its inside."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, problem: Problem) -> JSONResponse:
        return problem.response()

    @app.exception_handler(Refused)
    async def on_refused(_: Request, refused: Refused) -> JSONResponse:
        return of_refusal(refused).response()

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _of_validation(error).response()

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> JSONResponse:
        slug = STATUS_SLUGS.get(error.status_code, "error")
        return Problem(error.status_code, slug, str(error.detail), headers=error.headers).response()

    @app.exception_handler(Exception)
    async def on_any(request: Request, error: Exception) -> JSONResponse:
        if is_infrastructure(error):
            log.warning("unavailable", path=request.url.path, error=type(error).__name__)
            title = "잠시 뒤 다시 해 주세요 / A part of ours does not answer; try again"
            return Problem(503, STATUS_SLUGS[503], title, headers={"Retry-After": "5"}).response()
        log.error("unhandled", path=request.url.path, exc_info=error)
        return Problem(500, "internal", "서버 오류 / Something broke on our side").response()
