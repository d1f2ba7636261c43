"""What the API of channels takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from services.notices.channels.domain import Following, Profile, Role, shown
from services.notices.channels.store import channel_of
from shared.contracts.base import NO_NUL
from shared.offers.models import Interests
from shared.web.bodies import Body, Edit, YesNo

ChannelName = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Words = Annotated[str, StringConstraints(max_length=1_000, strip_whitespace=True)]
Contact = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
Web = Annotated[str, StringConstraints(max_length=500, pattern=r"^https?://[^\s\x00-\x1f\x7f\"'<>\\]+$")]
Subject = Annotated[str, Path(min_length=1, max_length=200, pattern=NO_NUL)]
# A channel of a part is `기관/이름`: a name with a slash could be taken for another institution's part.
InstitutionName = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]


class ProfileBody(Body):
    """What a channel says of itself."""

    about: Words = ""
    contact: Contact = ""
    home_url: Web | None = None
    topics: Interests = ()

    def profile(self) -> Profile:
        return Profile(self.about, self.contact, self.home_url, self.topics)


class ChannelDraft(ProfileBody):
    name: ChannelName = Field(description="the institution's name, or that, a slash and a part: 수완동/어린이")


class ChannelEdit(Edit):
    """Only what is to change; null clears `home_url`."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset({"home_url"})

    about: Words | None = None
    contact: Contact | None = None
    home_url: Web | None = None
    topics: Interests | None = None


class ChannelView(BaseModel):
    """A channel as anybody may see it. `followers` is null while they are few."""

    id: UUID
    name: str
    institution: str
    verified: bool
    about: str
    contact: str
    home_url: str | None
    topics: tuple[str, ...]
    followers: int | None
    version: int
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, row: Row[Any], least: int) -> ChannelView:
        channel = channel_of(row)
        about = {name: getattr(channel.profile, name) for name in ("about", "contact", "home_url", "topics")}
        return cls(
            id=channel.id, name=channel.name, institution=channel.institution, verified=bool(row.verified),
            followers=shown(row.followers, least), version=channel.version, created_at=channel.created_at,
            changed_at=channel.changed_at, **about,
        )  # fmt: skip


class Followed(BaseModel):
    id: UUID
    name: str


class FollowingView(BaseModel):
    """A citizen's own list, the longest followed first."""

    version: int
    channels: list[Followed]

    @classmethod
    def of(cls, following: Following) -> FollowingView:
        channels = [Followed(id=id_, name=name) for id_, name in following.channels.items()]
        return cls(version=following.version, channels=channels)


class Verification(Body):
    verified: YesNo


class InstitutionView(BaseModel):
    name: str
    verified_at: datetime | None
    verified_by: str | None
    changed_at: datetime


class Naming(Body):
    """What an officer may do for the institution: write, approve, or both."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=2)]


class OfficerView(BaseModel):
    institution: str
    subject: str
    roles: tuple[Role, ...]
    named_by: str
    named_at: datetime


class RolesView(BaseModel):
    """What the asking officer may do, and whether their institution is verified."""

    institution: str
    verified: bool
    roles: tuple[Role, ...]
    named: bool
