"""What is under test: said by whoever launched the run, else by what the run finds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from floe_tests.core.errors import HarnessError
from floe_tests.core.ledger import Ledger
from floe_tests.core.signals import are_held
from floe_tests.orchestration.session import _end, _workspace_of
from floe_tests.pipeline.entries import RunEntries

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


class _Run:
    """A run that has come to its end."""

    run_id = "a-run"
    is_resumed_elsewhere = is_left_for_resume = is_unfinished = False

    def __init__(self, folder: Path) -> None:
        self.entries = RunEntries(Ledger(folder), self.run_id)
        self.settings = SimpleNamespace(name="tiny")
        self.given_back: list[bool] = []

    def state(self) -> None:
        """What `publish` is handed; these tests replace it."""

    def give_back(self) -> None:
        self.given_back.append(are_held())


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_who_interrupts_the_reading_of_results_gets_verdict_and_environment_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
) -> None:
    held: list[bool] = []

    def publish(_run: object) -> None:
        held.append(are_held())
        if len(held) == 1:
            raise interrupt
        raise HarnessError("the second reading is a short one")

    monkeypatch.setattr("floe_tests.pipeline.publish.publish", publish)
    run, log = _Run(tmp_path), list[str]()

    with pytest.raises(interrupt):
        _end(run, dg.DagsterInstance.ephemeral(), log=log.append)  # type: ignore[arg-type]

    assert held == [False, True]
    assert run.given_back == [True]
    assert log == ["the run could not be recorded: the second reading is a short one"]


def test_a_run_that_cannot_be_recorded_gets_its_environment_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(_run: object) -> None:
        raise HarnessError("no space")

    monkeypatch.setattr("floe_tests.pipeline.publish.publish", publish)
    run, log = _Run(tmp_path), list[str]()

    _end(run, dg.DagsterInstance.ephemeral(), log=log.append)  # type: ignore[arg-type]

    assert (run.given_back, log) == ([True], ["the run could not be recorded: no space"])
