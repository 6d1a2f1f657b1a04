"""Shards as they arrive: what each sent on disk, and what was observed of its pod."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.execution.attempt import judge
from floe_tests.execution.sharding.merge import SuiteEnd
from floe_tests.execution.sharding.plan import test_key as key_of
from floe_tests.execution.sharding.record import ShardAttempt, directory_of, write
from floe_tests.execution.stream import Completeness
from floe_tests.execution.verdict.facts import ConditionFacts, ContainerFacts, Facts, PodFacts

COMPLETE = Completeness(complete=True, problems=(), notices=(), missing=(), verified=())
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Shards:
    """The shards of one suite, as an orchestrator has received them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.attempts: list[ShardAttempt] = []

    def add(
        self, shard: int, tests: Sequence[str], *, of: Sequence[str], **more: Any
    ) -> ShardAttempt:
        """Receive one attempt at a shard: its files, and its judged facts.

        Args:
            shard: Which one.
            tests: Node ids of its tests.
            of: Node ids of all tests.
            more: `failing` and `unreported` tests; `number` of the attempt; `completeness`, as the
                stream proved it; `account`, fields of shard.json that are not as they should be,
                None without the file; `pod`, fields of the pod; the rest is the test container's.
        """
        failing: Sequence[str] = more.pop("failing", ())
        unreported: Sequence[str] = more.pop("unreported", ())
        number: int = more.pop("number", 1)
        completeness: Completeness = more.pop("completeness", COMPLETE)
        account: dict[str, Any] | None = more.pop("account", {})
        results = directory_of(self.directory, shard, number) / "results"
        results.mkdir(parents=True)
        reported = [name for name in tests if name not in unreported]
        self._write_events(results, reported, failing, is_whole=not unreported)
        if not unreported:
            self._write_junit(results, reported, failing)
        counts = {"collected": len(tests), "deselected": len(of) - len(tests) + 3}
        (results / "collection.json").write_text(json.dumps(counts))
        if account is not None:
            keys = sorted(key_of(name_of(each)) for each in of)
            fields = {
                "version": 1,
                "index": shard,
                "count": 3,
                "plan": "p",
                "all": len(of),
                "digest": hashlib.sha256("\n".join(keys).encode()).hexdigest(),
                "selected": [key_of(name_of(each)) for each in tests],
                **account,
            }
            (results / "shard.json").write_text(json.dumps(fields))
        facts, verdict = judge(
            self._facts(shard, failing=bool(failing), **more),
            directory=results,
            completeness=completeness,
        )
        attempt = ShardAttempt(
            shard=shard,
            number=number,
            job="suite",
            facts=facts,
            verdict=verdict,
            started_at=NOON,
            seconds=3.0,
        )
        write(self.directory, attempt)
        self.attempts.append(attempt)
        return attempt

    def end(self, **changes: Any) -> SuiteEnd:
        """Return the end of the suite."""
        end = SuiteEnd(
            subject="job/suite",
            count=3,
            attempts=tuple(self.attempts),
            cancelled=None,
            error=None,
            not_run=None,
            elapsed_seconds=20.0,
            deadlines=DeadlineSettings(),
        )
        return replace(end, **changes)

    @staticmethod
    def _facts(shard: int, *, failing: bool, **container: Any) -> Facts:
        pod: dict[str, Any] = dict(container.pop("pod", {}))
        fields: dict[str, Any] = {
            "state": "terminated",
            "exit_code": int(failing),
            "started_at": NOON,
            "finished_at": NOON,
            **container,
        }
        conditions = tuple(
            ConditionFacts(type=name, status=True) for name in pod.pop("conditions", ())
        )
        return Facts(
            subject=f"shard/{shard}",
            pod=PodFacts(
                name=f"suite-{shard}-abcde",
                node="node-a",
                conditions=conditions,
                test=ContainerFacts(name="test-runner", **fields),
                **{"phase": "Failed" if failing else "Succeeded", **pod},
            ),
        )

    @staticmethod
    def _write_junit(results: Path, tests: Sequence[str], failing: Sequence[str]) -> None:
        cases = ""
        for each in tests:
            classname, _, name = name_of(each).partition("::")
            failure = '<failure message="no"/>' if each in failing else ""
            cases += (
                f'<testcase classname="{classname}" name="{name}" time="0.5">{failure}</testcase>'
            )
        (results / "junit.xml").write_text(
            f"<testsuites><testsuite>{cases}</testsuite></testsuites>"
        )

    @staticmethod
    def _write_events(
        results: Path, tests: Sequence[str], failing: Sequence[str], *, is_whole: bool
    ) -> None:
        events: list[dict[str, Any]] = [{"pytest_version": "9", "$report_type": "SessionStart"}]
        events.append({"nodeid": "", "outcome": "passed", "$report_type": "CollectReport"})
        for each in tests:
            for when in ("setup", "call", "teardown"):
                fails = each in failing and when == "call"
                event: dict[str, Any] = {
                    "nodeid": each,
                    "when": when,
                    "outcome": "failed" if fails else "passed",
                    "duration": 0.1,
                    "$report_type": "TestReport",
                }
                events.append({**event, "longrepr": "no"} if fails else event)
        if is_whole:
            events.append({"exitstatus": int(bool(failing)), "$report_type": "SessionFinish"})
        text = "".join(json.dumps(event) + "\n" for event in events)
        (results / "events.jsonl").write_text(text)


def name_of(node: str) -> str:
    path, _, rest = node.partition("::")
    return f"{path.removesuffix('.py').replace('/', '.')}::{rest}"


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    """Return a suite of three shards with nothing received yet."""
    return Shards(tmp_path / "suite-1")


@pytest.fixture
def split() -> Callable[[int], tuple[list[str], list[list[str]]]]:
    """Return the function that makes so many tests, and three parts of them."""

    def made(tests: int) -> tuple[list[str], list[list[str]]]:
        names = [f"tests/test_a.py::test_{number}" for number in range(tests)]
        return names, [names[part::3] for part in range(3)]

    return made
