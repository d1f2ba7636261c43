"""The table of job postings; the statements on it are those of every offer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Boolean, Column, Integer, Row, Text

from services.jobs.postings.domain import Terms
from shared.offers.store import OfferStore, Time, offer_table, place_columns, place_of, row_of_place

posting = offer_table(
    "posting", *place_columns(),
    Column("headline", Text), Column("description", Text), Column("min_age", Integer),
    Column("starts_at", Time), Column("ends_at", Time), Column("pay_krw", Integer), Column("pay_per", Text),
    Column("slots", Integer), Column("urgent", Boolean),
)  # fmt: skip


def _row_of(terms: Terms) -> dict[str, Any]:
    row = asdict(terms)
    del row["place"]
    return row | row_of_place(terms.place)


def _terms_of(row: Row[Any]) -> Terms:
    return Terms(
        row.headline, row.description, place_of(row), row.radius_m, tuple(row.interests), row.min_age,
        row.starts_at, row.ends_at, row.expires_at, row.pay_krw, row.pay_per, row.slots, row.urgent,
    )  # fmt: skip


postings = OfferStore(posting, _row_of, _terms_of)
