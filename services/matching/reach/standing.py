"""Which of the citizens whose position is known stand within a target. Pure; positions come in and never go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.engine.areas import Areas
from services.matching.index.store import StoredFix
from shared.contracts.posting import Circle, Where
from shared.geo import EARTH_M, District

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """A citizen within the target: the 동 that they are in, the consent their position came under, and how far the nearest
    circle's middle is (0 where the target is the 동 itself): their own radius must reach that far too.
    """

    citizen_id: str
    dong: str | None
    consent_epoch: int
    reach_m: int


def standing(fixes: Mapping[str, StoredFix], where: Where, district: District, areas: Areas) -> list[Standing]:
    """Everybody inside one of the circles (the rim is inside) or one of the 동."""
    names = list(fixes)
    lat = np.fromiter((fix.lat for fix in fixes.values()), np.float64, len(names))
    lon = np.fromiter((fix.lon for fix in fixes.values()), np.float64, len(names))
    dongs: NDArray[Any] = areas.of(lat, lon)
    wanted = [nth for nth, dong in enumerate(district.dongs) if {dong.code, dong.old_code} & set(where.dongs)]
    nearest_m = np.where(np.isin(dongs, wanted), 0.0, np.inf)
    for circle in where.circles:
        distance_m = _metres(lat, lon, circle)
        nearest_m = np.minimum(nearest_m, np.where(distance_m <= circle.radius_m, distance_m, np.inf))
    return [
        Standing(
            names[nth], district.dongs[dongs[nth]].code if dongs[nth] >= 0 else None, fixes[names[nth]].consent_epoch,
            int(np.ceil(nearest_m[nth])),
        )
        for nth in np.flatnonzero(np.isfinite(nearest_m)).tolist()
    ]  # fmt: skip


def _metres(lat: F64, lon: F64, circle: Circle) -> F64:
    """As shared.geo.haversine_m, for many points at once."""
    phi1, phi2 = np.radians(lat), np.radians(circle.lat)
    h = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(np.radians(circle.lon - lon) / 2) ** 2
    metres: F64 = 2 * EARTH_M * np.arcsin(np.sqrt(np.minimum(1.0, h)))
    return metres
