"""The table of notices; the statements on it are those of every offer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, Boolean, Column, Row, Text
from sqlalchemy.dialects.postgresql import JSONB

from services.notices.publishing.domain import Terms
from shared.contracts.posting import Where
from shared.offers.store import OfferStore, offer_table

notice = offer_table(
    "notice",
    Column("headline", Text), Column("body", Text), Column("circles", JSONB), Column("dongs", ARRAY(Text)),
    Column("channel", Text), Column("urgent", Boolean),
)  # fmt: skip


def _row_of(terms: Terms) -> dict[str, Any]:
    return {
        "headline": terms.headline, "body": terms.body, "channel": terms.channel, "urgent": terms.urgent,
        **terms.target.model_dump(mode="json"),
    }  # fmt: skip


def _terms_of(row: Row[Any]) -> Terms:
    target = Where.model_validate({"circles": row.circles, "dongs": row.dongs})
    return Terms(row.headline, row.body, target, tuple(row.interests), row.channel, row.urgent, row.expires_at)


notices = OfferStore(notice, _row_of, _terms_of)
