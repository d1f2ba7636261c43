"""The embedded broker's data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.report import Quiet

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("cluster", ["-0dashes-may-come-1st-", "MkU3OEVBNTcwNTJENDM2Qg"])
def test_a_cluster_may_have_any_id(cluster: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    broker = Kafka(home, 1, 2, Quiet())
    broker.format(cluster)
    assert f"cluster.id={cluster}" in (broker.folder / "data" / "meta.properties").read_text()
