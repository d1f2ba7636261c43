"""ETag and If-Match: an edit names the version it was made on."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from shared.web.problems import Problem, invalid

IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=50, description="the ETag the edit was made on")]


def etag(version: int) -> str:
    return f'"v{version}"'


def expected_version(if_match: str | None) -> int:
    """The version named by If-Match. 428 without the header, 422 if it is no ETag of ours."""
    if if_match is None:
        raise Problem(
            428, "precondition-required", "If-Match 헤더가 필요합니다 / An edit must name the version it was made on"
        )
    found = re.fullmatch(r'(?:W/)?"v(\d{1,9})"', if_match.strip())
    if found is None:
        raise invalid("header.If-Match", "etag", 'an ETag of this service looks like "v3"')
    return int(found[1])


def versioned(body: BaseModel, version: int) -> JSONResponse:
    """An answer that carries its version."""
    return JSONResponse(body.model_dump(mode="json"), headers={"ETag": etag(version)})


def stale(current: int) -> Problem:
    """412: somebody else changed it meanwhile; the answer names the current version."""
    return Problem(412, "precondition-failed", "그 사이에 바뀌었습니다 / Changed by somebody else meanwhile",
                   headers={"ETag": etag(current)}, current_version=current)  # fmt: skip
