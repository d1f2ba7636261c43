"""Every SQL statement about how far a posting's alerts came. It reads whom they are about only to count each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.reach.domain import STAGES, Counted
from services.matching.reach.standing import Standing

_INSTITUTION = text("SELECT institution FROM posting WHERE id = :id")
# Told anew in another urgency epoch one is still one citizen, of the 동 that the place was in at last.
_COUNTS = text("""
    SELECT dong, count(*) AS alerted, count(*) FILTER (WHERE delivered) AS delivered, count(*) FILTER (WHERE opened) AS opened,
        count(*) FILTER (WHERE acted) AS acted
    FROM (
        SELECT (array_agg(dong ORDER BY made_at DESC))[1] AS dong, bool_or(delivered_at IS NOT NULL) AS delivered,
            bool_or(opened_at IS NOT NULL) AS opened, bool_or(acted_at IS NOT NULL) AS acted
        FROM inbox_item WHERE posting_id = :id AND state <> 'deferred' GROUP BY citizen_id
    ) citizen GROUP BY dong ORDER BY dong NULLS LAST
""")
# By the 동 that each chose as home, as it is now; nothing of it is kept.
_BY_HOME = text("""
    SELECT w.settings->'home_dongs'->>0 AS dong, count(*) AS alerted, count(*) FILTER (WHERE delivered) AS delivered,
        count(*) FILTER (WHERE opened) AS opened, count(*) FILTER (WHERE acted) AS acted
    FROM (
        SELECT citizen_id, bool_or(delivered_at IS NOT NULL) AS delivered, bool_or(opened_at IS NOT NULL) AS opened,
            bool_or(acted_at IS NOT NULL) AS acted
        FROM inbox_item WHERE posting_id = :id AND state <> 'deferred' GROUP BY citizen_id
    ) told LEFT JOIN watch w ON w.citizen_id = told.citizen_id
    GROUP BY 1 ORDER BY 1 NULLS LAST
""")


async def institution_of(tx: AsyncConnection, posting_id: UUID) -> str | None:
    """Whose posting it is; None if the inbox knows of no such posting."""
    institution: str | None = (await tx.execute(_INSTITUTION, {"id": posting_id})).scalar_one_or_none()
    return institution


async def counts_of(tx: AsyncConnection, posting_id: UUID, *, by_home: bool = False) -> list[Counted]:
    """Citizens at each stage by the 동 of the posting's place; `by_home` by the one that they chose as home (its code)."""
    rows = await tx.execute(_BY_HOME if by_home else _COUNTS, {"id": posting_id})
    return [Counted(row.dong, {stage: getattr(row, stage) for stage in STAGES}) for row in rows]


# Each citizen once, in the 동 that they chose as home, else in the one they stand in. The conditions are those of the
# engine (engine.residents, engine.meeting): not paused, this kind wished for, nothing of it muted, interests met.
_PREVIEW = text("""
    WITH near AS (SELECT * FROM unnest(CAST(:citizens AS text[]), CAST(:dongs AS text[]), CAST(:epochs AS int[]), CAST(:metres AS int[]))
            AS n(citizen_id, dong, epoch, metres)),
    concerned AS (
        SELECT w.citizen_id, w.settings, NULL AS dong, false AS located FROM watch w
        WHERE w.settings->'home_dongs' ?| CAST(:homes AS text[]) OR w.settings->'follows' ?| CAST(:channels AS text[])
        UNION ALL
        SELECT w.citizen_id, w.settings, n.dong, true FROM near n JOIN watch w ON w.citizen_id = n.citizen_id
        WHERE (w.settings->>'located')::boolean AND (w.settings->>'consent_epoch')::int = n.epoch
            AND coalesce((w.settings->>'radius_m')::int, 1000000) >= n.metres
    ),
    wishing AS (
        SELECT citizen_id, coalesce(max(settings->'home_dongs'->>0), max(dong)) AS dong, bool_or(located) AS located FROM concerned
        WHERE NOT (settings->>'paused')::boolean AND settings->'kinds' ? 'notice'
            AND NOT settings->'muted_channels' ? :channel
            AND NOT coalesce(settings->'muted_topics' ?| CAST(:topics AS text[]), false)
            AND (cardinality(CAST(:topics AS text[])) = 0 OR jsonb_array_length(settings->'interests') = 0
                OR settings->'interests' ?| CAST(:topics AS text[]))
        GROUP BY citizen_id
    ),
    used AS (
        INSERT INTO location_record (citizen_id, act, how, hour, times, first_at, last_at)
        SELECT citizen_id, 'used', 'preview', date_trunc('hour', CAST(:now AS timestamptz)), 1, :now, :now
        FROM wishing WHERE located ORDER BY citizen_id
        ON CONFLICT (citizen_id, act, how, hour) DO UPDATE SET times = location_record.times + 1, last_at = excluded.last_at
    )
    SELECT dong, count(*) AS residents FROM wishing GROUP BY dong ORDER BY dong NULLS LAST
""")


@dataclass(frozen=True)
class Aim:
    """Whom a notice would be for: residents of these 동 by their present codes, followers (of `channel`, if `followers`)."""

    homes: Sequence[str]
    channel: str
    followers: bool
    topics: Sequence[str]


async def preview(
    tx: AsyncConnection, aim: Aim, near: Sequence[Standing], now: datetime
) -> list[tuple[str | None, int]]:
    """How many it would reach, by 동. That a position was used for it is recorded, as the law asks."""
    values = {
        "homes": list(aim.homes), "channels": [aim.channel] if aim.followers else [], "channel": aim.channel,
        "topics": list(aim.topics), "citizens": [one.citizen_id for one in near], "dongs": [one.dong for one in near],
        "epochs": [one.consent_epoch for one in near], "metres": [one.reach_m for one in near], "now": now,
    }  # fmt: skip
    return [(row.dong, row.residents) for row in await tx.execute(_PREVIEW, values)]
