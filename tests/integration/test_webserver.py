"""The webserver, as another pod of the cluster reaches it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from platform_suite.dagster_answers import Refused

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster
    from platform_suite.dagster_answers import Location
    from platform_suite.dagster_api import DagsterApi


@pytest.mark.kubernetes
def test_cluster_dns_resolves_the_webserver_to_its_service(
    cluster: Cluster, dagster_host: str
) -> None:
    """The name in DAGSTER_HOST is the Service's, and nothing else answers to it."""
    service = dagster_host.partition(".")[0]
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(dagster_host, 80)}
    assert found == {cluster.service_address(service)}


def test_webserver_reports_one_version_of_dagster(dagster: DagsterApi) -> None:
    """Webserver, core and GraphQL of one release: mixed ones fail in odd places later."""
    response = dagster.get("/server_info")
    assert response.status_code == 200
    versions = response.json()
    assert versions["dagster_version"].split(".")[0] == "1"
    assert len({*versions.values()}) == 1, versions


def test_webserver_serves_its_user_interface(dagster: DagsterApi) -> None:
    """The page a person opens is there, not only the API."""
    response = dagster.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "dagster" in response.text.lower()


def test_code_location_serves_the_jobs_assets_and_schedule(location: Location) -> None:
    """Nothing that people rely on is missing from the location."""
    assert location.jobs >= {"orders_pipeline", "import_orders", "describe_tables"}
    assert location.assets >= {"orders", "orders_cleaned", "daily_totals"}
    assert location.schedules == {"orders_every_minute"}


def test_launching_an_unknown_job_is_refused(dagster: DagsterApi) -> None:
    """A job that does not exist is named, and no run stays behind."""
    with pytest.raises(Refused, match="no_such_job") as refusal:
        dagster.launch("no_such_job")
    assert refusal.value.kind == "PipelineNotFoundError"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"rows": "many"}, id="wrong type"),
        pytest.param({"no_such_setting": 1}, id="unknown setting"),
    ],
)
def test_launching_with_wrong_config_is_refused(
    dagster: DagsterApi, config: dict[str, object]
) -> None:
    """Wrong config is refused before a run exists, with the setting's name."""
    (setting,) = config
    with pytest.raises(Refused, match=setting) as refusal:
        dagster.launch("orders_pipeline", {"ops": {"orders": {"config": config}}})
    assert refusal.value.kind == "RunConfigValidationInvalid"
