"""Where the settings ask for verified institutions, nobody else publishes."""

from __future__ import annotations

import pytest

from services.notices.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import open_notices
from tests.publishers import NOBODY_LISTENS, assert_problem, notice_draft

pytestmark = pytest.mark.component


async def test_only_verified_institutions_publish_where_the_settings_say_so(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor
) -> None:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, notices_verified_only=True, notices_tick_s=3_600)
    async with open_notices(databases, issuer, settings) as strict:
        assert_problem(
            await strict.ask("POST", "/notices", notice_draft(), as_="officer:아무 기관"), 403, "not-verified"
        )
        made = await strict.institution()
        await strict.published(as_=made.both)
        await strict.good("PUT", f"/institutions/{made.name}", {"verified": False}, as_="admin")
        assert_problem(await strict.ask("POST", "/notices", notice_draft(), as_=made.both), 403, "not-verified")
