"""Settings of the notices service: the product's defaults (†) are here, not in code."""

from __future__ import annotations

from pydantic import Field

from shared.settings import PlatformSettings


class Settings(PlatformSettings):
    """Everything an institution's programme may decide otherwise."""

    notices_verified_only: bool = Field(
        False, description="only institutions that an admin verified may publish; emergencies always need that (N8)"
    )
    notices_count_least: int = Field(5, ge=1, description="no count of citizens under this is shown")
    notices_tick_s: float = Field(1.0, gt=0, description="how often publications and expiries are looked for")
    notices_writes_per_minute: int = Field(600, ge=1, description="writing requests of one officer a minute")
    notices_follows_per_minute: int = Field(60, ge=1, description="channels one citizen follows or leaves a minute")
    notices_comments_per_minute: int = Field(5, ge=1, description="comments and reports of one citizen a minute")
    feeds_check_s: float = Field(1.0, gt=0, description="how old a feed may be that is served from memory")
    feeds_kept: int = Field(500, ge=1, description="feeds kept in memory per process")
    feeds_hub_url: str = Field(
        "",
        pattern=r"^(https?://[^\s]+)?$",
        description="a WebSub hub that is told of changed feeds, and named in them; none if empty",
    )
    feeds_hub_private: bool = Field(
        False, description="lets the hub be on a private address; for development, refused in production"
    )
    boards_tick_s: float = Field(5.0, gt=0, description="how often boards that are due are looked for")
    boards_every_s: float = Field(
        600.0, ge=1, description="how often a board is read; doubles after each failure, to 6 h"
    )
    boards_max_bytes: int = Field(5_000_000, ge=1_000, description="most that is taken of a board at once")
    boards_most_drafts: int = Field(50, ge=1, description="most drafts that one look at a board makes")
    boards_oldest_days: int = Field(30, ge=1, description="what a board dates earlier becomes no draft")
    boards_failing_after: int = Field(3, ge=1, description="failures in a row after which a board is told as failing")
    boards_per_institution: int = Field(20, ge=1, description="boards that are read for one institution")
    statistics_max_bytes: int = Field(2_000_000, ge=1_000, description="most that is taken of a file of figures")
    kosis_url: str = Field(
        "https://kosis.kr/openapi/Param/statisticsParameterData.do",
        description="where cards are read that name a table of KOSIS",
    )
    kosis_api_key: str = Field(
        "", repr=False, description="the platform's key to KOSIS; without one no card is read from there"
    )
    kosis_every_s: float = Field(
        21_600.0, ge=1, description="how often a card is read from KOSIS; doubles after each failure, to a day"
    )
    boards_private_addresses: bool = Field(
        False, description="lets boards be on private addresses; for development, refused in production"
    )
