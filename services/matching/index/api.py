"""Routes that read the index: "걸어서 10분" – all that is open near a point – and the map of the district."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from services.matching.index import domain, store
from services.matching.index.domain import Near
from services.matching.parts import UseParts
from shared.auth import Citizen
from shared.contracts import Posting
from shared.contracts.alert import distance_bucket_m
from shared.contracts.base import Kind, Lat, Lon
from shared.contracts.posting import MAX_RADIUS_M
from shared.geo import DONG_FILE, covering_circle, geohash_of

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
    def of(cls, near: Near) -> NearbyItem:
        bucket = None if near.distance_m is None else distance_bucket_m(near.distance_m)
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
    """Nearest first; the rim is inside. The point is used for this answer only and kept nowhere."""
    cells = [geohash_of(cell) for cell in covering_circle(lat, lon, radius_m)]
    postings = [Posting.model_validate_json(document) for document in await store.postings_touching(parts.redis, cells)]
    kinds = frozenset(kind) if kind else ALL_KINDS
    found = domain.near(postings, lat, lon, radius_m, kinds, parts.district, parts.clock())
    items = [NearbyItem.of(near) for near in found]
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if format == "geojson" or (format is None and GEOJSON in accept):
        collection = {"type": "FeatureCollection", "features": [item.feature() for item in items]}
        return Response(json.dumps(collection, ensure_ascii=False), media_type=GEOJSON, headers=headers)
    return Response(
        Nearby(radius_m=radius_m, items=items).model_dump_json(), media_type="application/json", headers=headers
    )


@router.get("/dongs", summary="광산구 21개 행정동 The district's 동 as GeoJSON", response_class=Response)
async def get_dongs() -> Response:
    """Public. Boundaries: admdongkor / KOSTAT SGIS 2021; good enough to draw and to target, not to adjudicate."""
    return Response(DONG_FILE.read_bytes(), media_type=GEOJSON, headers={"Cache-Control": "public, max-age=86400"})
