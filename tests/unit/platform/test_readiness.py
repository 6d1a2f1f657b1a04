"""What `helm test` makes of the webserver's answers."""

from __future__ import annotations

from typing import Any

import polaris_server
import pytest
from floe_platform import polaris_setup, readiness
from floe_platform.polaris import Credentials, Polaris
from floe_platform.polaris_setup import Plan

LOADED = {
    "name": "floe",
    "loadStatus": "LOADED",
    "locationOrLoadError": {"__typename": "RepositoryLocation"},
}


def answer(*entries: dict[str, Any], healthy: bool = True, required: bool = True) -> dict[str, Any]:
    status = {"daemonType": "SCHEDULER", "required": required, "healthy": healthy}
    return {
        "workspaceOrError": {"__typename": "Workspace", "locationEntries": list(entries)},
        "instance": {"daemonHealth": {"allDaemonStatuses": [status]}},
    }


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        pytest.param(answer(LOADED), (), id="works"),
        pytest.param(answer(), ("the workspace has no code location",), id="empty"),
        pytest.param(
            answer({**LOADED, "loadStatus": "LOADING", "locationOrLoadError": None}),
            ("code location floe is LOADING",),
            id="loading",
        ),
        pytest.param(
            answer(
                {
                    **LOADED,
                    "locationOrLoadError": {"__typename": "PythonError", "message": "No module"},
                }
            ),
            ("code location floe is broken: No module",),
            id="broken",
        ),
        pytest.param(
            answer(LOADED, healthy=False),
            ("daemon SCHEDULER has sent no recent heartbeat",),
            id="daemon",
        ),
        pytest.param(answer(LOADED, healthy=False, required=False), (), id="daemon-not-needed"),
        pytest.param(
            {"workspaceOrError": {"__typename": "PythonError", "message": "no workspace.yaml"}},
            ("the workspace cannot be read: no workspace.yaml",),
            id="no-workspace",
        ),
    ],
)
def test_every_reason_is_named(data: dict[str, Any], problems: tuple[str, ...]) -> None:
    assert readiness.problems(data) == problems


def test_nobody_answering_is_a_problem_and_no_crash() -> None:
    # Port 1 is never served without root, and never by anything of today.
    version, problems = readiness.ask("http://127.0.0.1:1")

    assert version == ""
    assert "does not answer" in problems[0]


def test_a_server_that_is_away_is_named() -> None:
    problems = readiness.silence("cube", "http://127.0.0.1:1/readyz")

    assert len(problems) == 1
    assert problems[0].startswith("cube does not answer well on http://127.0.0.1:1/readyz")


def test_polaris_counts_as_working_when_the_pipelines_principal_opens_its_catalog() -> None:
    client = Credentials("0123456789abcdef", "0123456789abcdef" * 2)
    plan = Plan(catalog="floe", principal="p", warehouse="s3://warehouse/", region="us-east-1")
    with polaris_server.serve() as server:
        environment = {
            "FLOE_CATALOG_REALM": "POLARIS",
            "FLOE_CATALOG_WAREHOUSE": "floe",
            "FLOE_CATALOG_CLIENT_ID": client.client_id,
            "FLOE_CATALOG_CLIENT_SECRET": client.client_secret,
        }

        before = readiness.closed_catalog(server.url, environment)
        root = Polaris(server.url, "POLARIS").logged_in(Credentials(*polaris_server.ROOT))
        list(polaris_setup.apply(root, plan, client))
        after = readiness.closed_catalog(server.url, environment)

    assert "401" in before[0]
    assert after == ()
