"""An institution's answer becomes an alert to the citizen who asked, and to nobody else (N8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.matching.watches import store as watches
from shared.contracts import Alert, Answered, Watch
from shared.contracts.alert import Why, alert_id
from shared.messaging.consumer import Handlers, Unit
from shared.messaging.outbox import emit_many

SOURCE = "/services/matching"
TOLD_FOR = timedelta(days=30)
LONGEST = 200


async def on_answers(answers: Sequence[Answered], unit: Unit) -> None:
    """Through `alerts.v1`, as everything that is told: so the inbox, the stream, phones and mailboxes need not know of it."""
    made = [answer_alert(answer, await watches.get(unit.tx, answer.citizen_id), unit) for answer in answers]
    await emit_many(unit.tx, made, source=SOURCE, now=unit.now, ids=[alert.id for alert in made])


def answer_alert(answer: Answered, watch: Watch | None, unit: Unit) -> Alert:
    """The comment takes the place of a posting and its version that of the urgency epoch: an answer given anew is told anew.

    Who asked is told whatever kinds they chose; in their quiet hours it waits.
    """
    quiet = watch.quiet.until(unit.now) if watch is not None and watch.quiet is not None else None
    return Alert(
        id=alert_id(answer.citizen_id, answer.comment_id, answer.version), citizen_id=answer.citizen_id, posting_id=answer.comment_id,
        posting_version=answer.version, urgency_epoch=answer.version, kind="notice", headline=f"답변: {answer.headline}"[:LONGEST],
        institution=answer.institution, expires_at=answer.answered_at + TOLD_FOR, link=answer.link, deferred_until=quiet,
        why=Why(cause="posting_changed", watch_version=watch.version if watch else 0, rule="following", asked=True),
        caused_at=answer.answered_at, made_at=unit.now,
    )  # fmt: skip


ANSWER_HANDLERS: Handlers = {Answered: on_answers}
