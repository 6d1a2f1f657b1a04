"""What `helm test` makes of the webserver's answers."""

from __future__ import annotations

from typing import Any

import pytest
from floe_platform import readiness

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
