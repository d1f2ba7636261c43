"""The embedded broker's data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.home import Home
from deploy.local.kafka import OPTIONS, SMALL, Kafka
from deploy.local.report import Quiet

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("cluster", ["-0dashes-may-come-1st-", "MkU3OEVBNTcwNTJENDM2Qg"])
def test_a_cluster_may_have_any_id(cluster: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    broker = Kafka(home, 1, 2, Quiet())
    broker.format(cluster)
    assert f"cluster.id={cluster}" in (broker.folder / "data" / "meta.properties").read_text()


@pytest.mark.parametrize(("given", "expected"), [(None, SMALL), ("-Xms1g -Xmx1g", ("-Xms1g", "-Xmx1g"))])
def test_options_of_java_may_be_given_in_place_of_those_that_keep_the_broker_small(
    given: str | None, expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(OPTIONS, raising=False) if given is None else monkeypatch.setenv(OPTIONS, given)
    home = Home(tmp_path)
    home.prepare()
    command = Kafka(home, 1, 2, Quiet())._prepare().command
    assert set(expected) <= set(command)
    assert given is None or not set(SMALL) & set(command)
