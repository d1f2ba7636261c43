"""What jobs publishes anew when Kafka's data was lost."""

from __future__ import annotations

from services.jobs.postings.domain import as_posting
from services.jobs.postings.store import postings
from services.jobs.settings import Settings
from shared.republish import Pages, open_offers


def everything(settings: Settings) -> dict[str, Pages]:
    return {"postings": open_offers(postings, as_posting)}
