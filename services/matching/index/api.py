"""Routes that read the index: "걸어서 10분" – all that is open near a point – and the map of the district."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from services.matching.index import domain, origins, store
from services.matching.index.domain import Near
from services.matching.parts import Parts, UseParts
from shared.auth import Citizen
from shared.contracts import Posting
from shared.contracts.base import Kind, Lat, Lon
from shared.contracts.posting import MAX_RADIUS_M
from shared.geo import DONG_FILE
from shared.redis import FAULTS
from shared.web.problems import Problem

log = structlog.get_logger()

router = APIRouter(tags=["걸어서 10분 nearby"])

GEOJSON = "application/geo+json"
ALL_KINDS: frozenset[Kind] = frozenset({"job", "space", "notice"})


class NearbyItem(BaseModel):
    """One posting near the point asked about, without whom it is not for: that is nobody else's business.

    `distance_m` is in 100 m steps, straight line; null inside its 행정동.
    """

    posting: Posting
    distance_m: int | None
    lat: float | None
    lon: float | None
    dong: str | None

    @classmethod
    def of(cls, near: Near, bucket: int | None) -> NearbyItem:
        posting = near.posting.model_copy(update={"audience": near.posting.audience.model_copy(update={"not_for": ()})})
        return cls(posting=posting, distance_m=bucket, lat=near.lat, lon=near.lon, dong=near.dong)

    def feature(self) -> dict[str, Any]:
        """As GeoJSON (RFC 7946): longitude first; no geometry where the posting is an area."""
        geometry = (
            None if self.lat is None or self.lon is None else {"type": "Point", "coordinates": [self.lon, self.lat]}
        )
        properties = {**self.posting.model_dump(mode="json"), "distance_m": self.distance_m, "dong": self.dong}
        return {"type": "Feature", "id": str(self.posting.id), "geometry": geometry, "properties": properties}


class Nearby(BaseModel):
    radius_m: int
    items: list[NearbyItem]


@router.get("/nearby", response_model=Nearby, summary="걸어서 10분 All that is open near a point",
            responses={200: {"content": {GEOJSON: {}}}})  # fmt: skip
async def list_nearby(
    parts: UseParts, citizen: Citizen, lat: Annotated[Lat, Query()], lon: Annotated[Lon, Query()],
    radius_m: Annotated[int, Query(ge=50, le=MAX_RADIUS_M)] = 700, kind: Annotated[list[Kind] | None, Query()] = None,
    format: Annotated[Literal["json", "geojson"] | None, Query()] = None, accept: Annotated[str, Header()] = "",
) -> Response:  # fmt: skip
    """Nearest first; the rim is inside. The point is used for this answer only and kept nowhere.

    429 for whoever asks from many places within minutes; asking again from the same ones is always answered.
    """
    documents = await _documents(parts, citizen.subject, lat, lon, radius_m)
    postings = [Posting.model_validate_json(document) for document in documents]
    kinds = frozenset(kind) if kind else ALL_KINDS
    found = domain.near(postings, lat, lon, radius_m, kinds, parts.district, parts.clock())
    items = [NearbyItem.of(near, domain.shown_m(near, lat, lon, radius_m)) for near in found]
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if format == "geojson" or (format is None and GEOJSON in accept):
        collection = {"type": "FeatureCollection", "features": [item.feature() for item in items]}
        return Response(json.dumps(collection, ensure_ascii=False), media_type=GEOJSON, headers=headers)
    return Response(
        Nearby(radius_m=radius_m, items=items).model_dump_json(), media_type="application/json", headers=headers
    )


async def _documents(parts: Parts, citizen_id: str, lat: float, lon: float, radius_m: int) -> list[bytes]:
    """Counted first, then read; a Redis that is away can do neither, and nobody is answered uncounted."""
    most, window_s = parts.settings.nearby_origins, parts.settings.nearby_origins_s
    try:
        now_ms = int(parts.clock().timestamp() * 1000)
        wait_ms = await origins.wait_ms(
            parts.redis, citizen_id, lat, lon, now_ms, most=most, window_ms=int(window_s * 1000)
        )
        if wait_ms == 0:
            return await store.postings_touching(parts.redis, domain.asked_about(lat, lon, radius_m, parts.district))
    except FAULTS as error:
        log.warning("nearby_away", error=type(error).__name__)
        title = "지금은 주변을 찾을 수 없습니다 / What is near cannot be told just now"
        raise Problem(503, "unavailable", title, headers={"Retry-After": "5"}) from None
    title = "너무 많은 곳에서 물었습니다. 잠시 뒤 다시 해 주세요 / Asked from too many places"
    raise Problem(429, "too-many-origins", title, headers={"Retry-After": str(math.ceil(wait_ms / 1000))}, at_most=most)


@router.get("/dongs", summary="광산구 21개 행정동 The district's 동 as GeoJSON", response_class=Response)
async def get_dongs() -> Response:
    """Public. Boundaries: admdongkor / KOSTAT SGIS 2021; good enough to draw and to target, not to adjudicate."""
    return Response(DONG_FILE.read_bytes(), media_type=GEOJSON, headers={"Cache-Control": "public, max-age=86400"})
