"""What is under test: said by whoever launched the run, else by what the run finds."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from floe_tests.stages.session import _workspace_of

TAGS = {
    "floe-tests/ref": "feature",
    "floe-tests/commit": "72c65fc",
    "floe-tests/trigger": "schedule",
}


@pytest.mark.parametrize(
    ("tags", "parent", "variables", "expected"),
    [
        pytest.param({}, None, {"REF": "main"}, ("main", "unknown", "manual"), id="found here"),
        pytest.param(
            TAGS, None, {"REF": "main"}, ("feature", "72c65fc", "schedule"), id="said at launch"
        ),
        pytest.param(
            TAGS,
            "a-parent",
            {"REF": "main", "COMMIT": "7c2f240"},
            ("main", "7c2f240", "manual"),
            id="a re-execution tests what is here now, not what its parent's tags say",
        ),
        pytest.param(
            TAGS,
            "a-parent",
            {},
            ("feature", "72c65fc", "manual"),
            id="a re-execution where nothing is known but the tags",
        ),
    ],
)
def test_a_runs_tags_say_what_is_under_test(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tags: dict[str, str],
    parent: str | None,
    variables: dict[str, str],
    expected: tuple[str, str, str],
):
    for name in ("REF", "SHA", "EVENT_NAME"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    for name in ("REF", "COMMIT", "TRIGGER"):
        monkeypatch.delenv(f"FLOE_TESTS_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"FLOE_TESTS_{name}", value)
    lineage = {"root_run_id": parent, "parent_run_id": parent} if parent else {}

    workspace = _workspace_of(dg.DagsterRun("tiny", tags=tags, **lineage), tmp_path)

    assert (workspace.ref, workspace.commit, workspace.trigger) == expected
