"""The registry: every topic and every event of the platform, in one place."""

from __future__ import annotations

from shared.contracts.alert import ALERTS, Alert
from shared.contracts.answer import ANSWERS, Answered
from shared.contracts.base import Event, Topic
from shared.contracts.dead_letter import DEAD_LETTERS
from shared.contracts.digest import DIGESTS, Digest
from shared.contracts.follow import FOLLOWS, Follows
from shared.contracts.job import JOB_EVENTS, JOBS
from shared.contracts.location import LOCATIONS, Fix
from shared.contracts.posting import POSTINGS, Posting
from shared.contracts.space import SPACE_BOOKINGS, SPACE_EVENTS
from shared.contracts.watch import WATCHES, Watch

TOPICS: tuple[Topic, ...] = (
    POSTINGS,
    LOCATIONS,
    WATCHES,
    FOLLOWS,
    ANSWERS,
    ALERTS,
    DIGESTS,
    JOBS,
    SPACE_BOOKINGS,
    DEAD_LETTERS,
)
TOPIC_BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
EVENTS: tuple[type[Event], ...] = (Posting, Fix, Watch, Follows, Answered, Alert, Digest, *JOB_EVENTS, *SPACE_EVENTS)
EVENT_BY_TYPE: dict[str, type[Event]] = {event.TYPE: event for event in EVENTS}

__all__ = [
    "EVENTS",
    "EVENT_BY_TYPE",
    "TOPICS",
    "TOPIC_BY_NAME",
    "Alert",
    "Answered",
    "Digest",
    "Event",
    "Fix",
    "Follows",
    "Posting",
    "Topic",
    "Watch",
]
