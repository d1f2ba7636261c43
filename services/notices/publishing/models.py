"""What the API of notices takes and gives."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from services.notices.publishing.domain import (
    PUBLISHED_FOR,
    Attachment,
    Notice,
    Terms,
    Translation,
    current_codes,
    seen_at,
)
from services.notices.publishing.revisions import Changed, Kind
from shared.contracts.posting import Circle, Where
from shared.geo import District
from shared.offers.models import Headline, Interests, OfferView, Radius, about
from shared.web.bodies import Body, Edit, Latitude, Longitude, Moment, YesNo

NoticeText = Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
Summary = Annotated[str, StringConstraints(min_length=1, max_length=1_000, strip_whitespace=True)]
Channel = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
DongCode = Annotated[str, Field(max_length=20, description="행정동 code, the one since 2026-07 or the one before")]
# A link is shown to everybody, so it is one to the web and can end no attribute.
Link = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^https?://[^\s\x00-\x1f\x7f\"'<>\\]+$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")]
Origin = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]


class CircleBody(Body):
    lat: Latitude
    lon: Longitude
    radius_m: Radius = 700


class TargetBody(Body):
    """Circles or 행정동 or both, at least one: inside any of them is inside."""

    circles: tuple[CircleBody, ...] = Field(default=(), max_length=20)
    dongs: tuple[DongCode, ...] = Field(default=(), max_length=42)

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.circles and not self.dongs:
            raise PydanticCustomError("no-target", "a notice needs at least one circle or one 행정동")
        return self

    def where(self, district: District) -> Where:
        circles = tuple(Circle(lat=c.lat, lon=c.lon, radius_m=c.radius_m) for c in self.circles)
        return Where(circles=circles, dongs=current_codes(self.dongs, district))

    @classmethod
    def of(cls, where: Where) -> TargetBody | None:
        if not where.circles and not where.dongs:
            return None
        return cls(circles=tuple(CircleBody(**c.model_dump()) for c in where.circles), dongs=where.dongs)


class AttachmentBody(Body):
    """A link; the file stays where it is."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    url: Link


class TranslationBody(Body):
    """The notice in a further language."""

    language: Language
    headline: Headline
    body: NoticeText


def _each_once(translations: tuple[TranslationBody, ...] | None) -> None:
    languages = [translation.language.partition("-")[0] for translation in translations or ()]
    if "ko" in languages or len(set(languages)) < len(languages):
        raise PydanticCustomError("languages", "further languages, each once: Korean is the notice itself")


Attachments = Annotated[tuple[AttachmentBody, ...], Field(max_length=10)]
Translations = Annotated[tuple[TranslationBody, ...], Field(max_length=10)]
Statistics = Annotated[
    tuple[UUID, ...], Field(max_length=5, description="ids of the institution's cards that it shows")
]


class NoticeDraft(Body):
    """A new notice. Whom it concerns: who is or lives in the target, and with `followers` who follows the channel."""

    headline: Headline
    body: NoticeText
    target: TargetBody | None = None
    followers: YesNo = False
    topics: Interests = ()
    channel: Channel | None = Field(default=None, description="the institution when left out")
    urgent: YesNo = False
    emergency: YesNo = Field(default=False, description="told at once whatever the hour; needs a second officer")
    expires_at: Moment | None = Field(default=None, description="14 days from now when left out")
    deadline: Moment | None = Field(default=None, description="told once more before it")
    summary: Summary | None = Field(default=None, description="쉬운 말: the notice in plain words")
    attachments: Attachments = ()
    translations: Translations = ()
    statistics: Statistics = ()
    origin: Origin | None = Field(
        default=None, description="the original that is told on: the id of a notice, a web address, a document's number"
    )

    @model_validator(mode="after")
    def _languages(self) -> Self:
        _each_once(self.translations)
        return self

    def terms(self, institution: str, district: District, now: datetime) -> Terms:
        return Terms(
            self.headline, self.body, self.target.where(district) if self.target is not None else Where(), self.topics,
            self.channel or institution, self.urgent, self.expires_at or now + PUBLISHED_FOR, self.followers,
            self.emergency, self.deadline, self.summary, _attachments(self.attachments), _translations(self.translations),
            self.origin, statistics=tuple(dict.fromkeys(self.statistics)),
        )  # fmt: skip


def _attachments(given: tuple[AttachmentBody, ...]) -> tuple[Attachment, ...]:
    return tuple(Attachment(a.name, a.url) for a in given)


def _translations(given: tuple[TranslationBody, ...]) -> tuple[Translation, ...]:
    return tuple(Translation(t.language, t.headline, t.body) for t in given)


class NoticeEdit(Edit):
    """Only what is to change; a target replaces the whole target. Null clears `deadline` and `summary`."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset({"deadline", "summary"})

    headline: Headline | None = None
    body: NoticeText | None = None
    target: TargetBody | None = None
    followers: YesNo | None = None
    topics: Interests | None = None
    channel: Channel | None = None
    urgent: YesNo | None = None
    expires_at: Moment | None = None
    deadline: Moment | None = None
    summary: Summary | None = None
    attachments: Attachments | None = None
    translations: Translations | None = None
    statistics: Statistics | None = None

    @model_validator(mode="after")
    def _languages(self) -> Self:
        _each_once(self.translations)
        return self

    def of_terms(self, district: District) -> dict[str, Any]:
        """The changes as `Terms` names them."""
        changes = self.changes()
        if self.target is not None:
            changes["target"] = self.target.where(district)
        if "topics" in changes:
            changes["interests"] = changes.pop("topics")
        if self.statistics is not None:
            changes["statistics"] = tuple(dict.fromkeys(self.statistics))
        if self.attachments is not None:
            changes["attachments"] = _attachments(self.attachments)
        if self.translations is not None:
            changes["translations"] = _translations(self.translations)
        return changes


class NoticeWords(BaseModel):
    """What a notice says, in the order in which it is read."""

    headline: str
    body: str
    summary: str | None
    target: TargetBody | None
    followers: bool
    topics: tuple[str, ...]
    channel: str
    urgent: bool
    emergency: bool
    expires_at: datetime
    deadline: datetime | None
    attachments: list[Attachment]
    translations: list[Translation]
    statistics: tuple[UUID, ...]
    origin: str | None

    @classmethod
    def words(cls, terms: Terms) -> dict[str, Any]:
        same = {name: getattr(terms, name) for name in NoticeWords.model_fields if name not in ("target", "topics")}
        return same | {"target": TargetBody.of(terms.target), "topics": terms.interests}


class NoticeView(OfferView, NoticeWords):
    """A notice as anybody may see it. `edited_at` is set once what people read was changed ("수정됨")."""

    edited_at: datetime | None

    @classmethod
    def of(cls, notice: Notice, now: datetime | None = None) -> NoticeView:
        """As it is kept; with `now` as a reader finds it then."""
        seen = notice if now is None else seen_at(notice, now)
        return cls(**about(seen), **cls.words(seen.terms), edited_at=seen.terms.edited_at)


class RevisionView(NoticeWords):
    """One version of a notice."""

    version: int
    at: datetime


class PieceView(BaseModel):
    kind: Kind
    text: str


class ChangeView(BaseModel):
    """A field that differs; `pieces` (of texts) show where."""

    field: str
    before: Any
    after: Any
    pieces: list[PieceView]

    @classmethod
    def of(cls, changed: Changed) -> ChangeView:
        name = {"interests": "topics"}.get(changed.field, changed.field)
        return cls(
            field=name,
            before=changed.before,
            after=changed.after,
            pieces=[PieceView(**asdict(p)) for p in changed.pieces],
        )


class DiffView(BaseModel):
    """What became different from one version to another."""

    from_version: int
    to_version: int
    changes: list[ChangeView]
