"""A tier from its first stage to its verdict: real Dagster, real pytest, the real exporter."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dagster as dg
import psutil
import pytest
from junitparser import JUnitXml

from floe_tests.core.errors import InfrastructureError
from floe_tests.execution import process_run
from floe_tests.results.history import bundle
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord

if TYPE_CHECKING:
    from tests.support.project import Project

TIER = """\
  name: tiny
  description: a suite of a few tests
  environments: [local]
  suites:
    - name: tiny-suite
      command:
        # The suites need no other plugin, and loading all of them takes longer than the suites.
        - env
        - PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
        - pytest
        - suite
        - -q
        - -p
        - no:cacheprovider
        - -p
        - pytest_reportlog.plugin
        - -p
        - floe_tests_pytest
        - --junitxml=/results/junit.xml
        - --report-log=/results/events.jsonl
"""

TWO = (("fast", "smoke"), ("thorough", "slow"))

GREEN = """\
import pytest

def test_adds():
    assert 1 + 1 == 2

@pytest.mark.parametrize("number", [1, 2])
def test_counts(number):
    assert number

def test_needs_a_cluster():
    pytest.skip("needs a cluster")
"""


class Tier:
    """A tier of one suite in a project of its own, and what its runs leave behind."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.output = folder / "output"
        self.home = folder / "home"
        self.instance = dg.DagsterInstance.ephemeral()

    def suite(self, text: str, *, settings: str = "") -> None:
        self.project.tier(TIER + settings)
        self.project.write("suite/test_tiny.py", text)

    def run(self, **options: Any) -> dg.ExecuteInProcessResult:
        job = self.project.load().get_repository_def().get_job("tiny")
        return job.execute_in_process(instance=self.instance, raise_on_error=False, **options)

    def remembered(self, run_id: str) -> RunRecord:
        with History.open(f"sqlite:///{self.home}/floe_tests.db") as history:
            found = history.run(run_id=run_id)
        assert found is not None
        return found

    def summary(self) -> dict[str, Any]:
        return json.loads((self.output / "tiny" / "verdict.json").read_text())

    def junit(self) -> JUnitXml:
        return JUnitXml.fromfile(str(self.output / "tiny" / "junit.xml"))

    def lease(self, run_id: str) -> dict[str, Any]:
        return json.loads((self.home / "floe-tests" / "runs" / run_id / "lease.json").read_text())


@pytest.fixture
def tier(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tier:
    # These tests run inside a tier's run too, whose variables are not theirs.
    for name in os.environ:
        if name.startswith(("FLOE_", "GITHUB_", "IMAGE_REGISTRY_PREFIX", "PYTEST_ADDOPTS")):
            monkeypatch.delenv(name)
    made = Tier(project, tmp_path)
    made.home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(made.home))
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(made.output))
    return made


FLAKY = """\
def test_adds():
    assert 1 + 1 == 2

def test_wavers():
    assert 1 + 1 == 3
"""


def check_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def test_a_green_suite_is_a_successful_run_that_is_remembered_with_every_test(tier: Tier):
    tier.suite(GREEN)

    result = tier.run()

    assert result.success
    assert check_of(result).passed
    metadata = result.asset_materializations_for_node("tiny__results")[0].metadata
    assert {name: metadata[name].value for name in ("tests", "passed", "failed", "skipped")} == {
        "tests": 4,
        "passed": 3,
        "failed": 0,
        "skipped": 1,
    }
    assert metadata["verdict"].value == "PASS"
    junit = tier.junit()
    assert (junit.tests, junit.failures, junit.errors, junit.skipped) == (4, 0, 0, 1)
    record = tier.remembered(result.run_id)
    assert (record.cause, record.provider, record.tier) == ("PASS", "local", "tiny")
    (suite,) = record.suites
    assert (suite.collected, suite.reported, suite.tally.passed) == (4, 4, 3)
    assert set(record.stage_seconds) >= {"cluster", "platform", "test_job"}
    assert tier.lease(result.run_id)["state"] == "released"


def test_a_failing_test_makes_the_run_red_and_is_named_everywhere(tier: Tier):
    tier.suite(GREEN.replace("1 + 1 == 2", "1 + 1 == 3"))

    result = tier.run()

    assert not result.success
    name = "suite.test_tiny::test_adds"
    evaluation = check_of(result)
    assert not evaluation.passed
    assert name in (evaluation.description or "")
    assert tier.summary()["cause"] == "TEST_FAILURE"
    assert tier.summary()["failures"] == [name]
    assert (tier.junit().tests, tier.junit().failures) == (4, 1)
    with History.open(f"sqlite:///{tier.home}/floe_tests.db") as history:
        cases = {case.name: case for case in history.cases(run_id=result.run_id)["tiny-suite"]}
    assert cases[name].outcome == "failed"
    assert "assert (1 + 1) == 3" in cases[name].message
    assert tier.lease(result.run_id)["state"] == "released", "a red run gives back all the same"
    # Dagster's UI goes by the newest materialization: one of this run is not shown as failed.
    shown = tier.instance.get_latest_materialization_event(dg.AssetKey(["tiny", "released"]))
    assert shown is not None
    assert shown.run_id == result.run_id


RED = {
    "no tests": ("", "NO_TESTS", "configuration", "exit code: 5"),
    "no collection": ("import nothing_like_it", "INTERRUPTED", "test", "exit code: 2"),
    "a test that ends pytest with pytest's own exit code": (
        "import os\ndef test_a(): pass\ndef test_b(): os._exit(3)",
        "TEST_CRASH",
        "test",
        "exit code: 3",
    ),
    "a test that ends pytest with exit code 0": (
        "import os\ndef test_a(): pass\ndef test_b(): os._exit(0)",
        "TEST_CRASH",
        "test",
        "1 of 2 reported",
    ),
    "pytest is killed": (
        "import os, signal\ndef test_a(): pass\ndef test_b(): os.kill(os.getpid(), signal.SIGKILL)",
        "KILLED_UNKNOWN",
        "resources",
        "suite.test_tiny::test_b state: was running",
    ),
}


@pytest.mark.parametrize(("text", "cause", "fault", "evidence"), RED.values(), ids=RED.keys())
def test_a_suite_that_does_not_end_well_is_red_with_its_cause(
    tier: Tier, text: str, cause: str, fault: str, evidence: str
):
    tier.suite(text)

    result = tier.run()

    assert not result.success
    assert not check_of(result).passed
    summary = tier.summary()
    assert (summary["cause"], summary["fault"]) == (cause, fault)
    shown = [f"{item['subject']} {item['field']}: {item['value']}" for item in summary["evidence"]]
    assert any(evidence in line for line in shown), shown
    assert tier.remembered(result.run_id).cause == cause
    assert tier.junit().errors >= 1, "a CI that reads JUnit alone must see red"


def test_tests_that_had_passed_before_a_kill_are_reported(tier: Tier):
    tier.suite(RED["pytest is killed"][0])

    result = tier.run()

    (suite,) = tier.remembered(result.run_id).suites
    assert (suite.tally.passed, suite.source) == (1, "events")
    assert suite.in_flight == ("suite.test_tiny::test_b",)


def test_a_suite_that_hangs_ends_at_its_deadline_and_the_hanging_test_is_named(tier: Tier):
    tier.suite(
        "import signal\ndef test_a(): pass\ndef test_hangs(): signal.pause()",
        settings="  deadlines: {tests_seconds: 3, pod_seconds: 30, job_seconds: 60}\n",
    )

    result = tier.run()

    summary = tier.summary()
    assert not result.success
    assert (summary["cause"], summary["fault"]) == ("TEST_TIMEOUT", "test")
    assert "suite.test_tiny::test_hangs" in {item["subject"] for item in summary["evidence"]}


def test_a_program_that_ignores_its_deadline_is_killed_with_all_that_it_started(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(process_run, "TESTS_SLACK_SECONDS", 0.0)
    script = "sleep 600 & echo $! > ids.part; mv ids.part ids; wait"
    tier.project.tier(
        "  name: tiny\n  description: hangs\n  environments: [local]\n"
        "  deadlines: {tests_seconds: 1, pod_seconds: 30, job_seconds: 60}\n"
        f"  suites: [{{name: tiny-suite, command: [sh, -c, '{script}']}}]\n"
    )

    tier.run()

    summary = tier.summary()
    assert summary["cause"] == "TEST_TIMEOUT"
    assert summary["evidence"][0]["value"] == "tests deadline of 1 s passed"
    child = int((tier.project.root / "ids").read_text())
    _, alive = psutil.wait_procs([psutil.Process(i) for i in [child] if psutil.pid_exists(i)], 10)
    assert [item for item in alive if item.status() != psutil.STATUS_ZOMBIE] == []


def test_a_command_that_is_not_there_is_a_matter_of_configuration(tier: Tier):
    tier.project.tier(
        "  name: tiny\n  description: misspelt\n  environments: [local]\n"
        "  suites: [{name: tiny-suite, command: [pytset, suite]}]\n"
    )

    tier.run()

    summary = tier.summary()
    assert summary["cause"] == "CONFIG"
    assert "`pytset` of suite tiny-suite cannot be started" in summary["evidence"][0]["value"]


def test_groups_of_the_runs_config_choose_the_tests(tier: Tier):
    tier.suite(
        "import pytest\n@pytest.mark.smoke\ndef test_a(): pass\ndef test_b(): raise ValueError\n"
    )
    tier.project.write("pytest.ini", "[pytest]\nmarkers = smoke\n")

    result = tier.run(run_config={"ops": {"tiny__cluster": {"config": {"groups": ["smoke"]}}}})

    assert result.success
    (suite,) = tier.remembered(result.run_id).suites
    assert (suite.tally.tests, suite.deselected) == (1, 1)


def test_a_suite_that_was_not_chosen_is_neither_run_nor_passed(tier: Tier):
    tier.suite(
        "import pytest\n@pytest.mark.smoke\ndef test_a(): pass\n"
        "@pytest.mark.slow\ndef test_b(): raise ValueError\n"
    )
    tier.project.write("pytest.ini", "[pytest]\nmarkers =\n  smoke\n  slow\n")
    head, _, suite = TIER.partition("    - name: tiny-suite\n")
    suites = (f"    - name: {name}\n      groups: [{group}]\n{suite}" for name, group in TWO)
    tier.project.tier(head + "".join(suites))

    result = tier.run(run_config={"ops": {"tiny__cluster": {"config": {"groups": ["smoke"]}}}})

    assert result.success
    assert tier.summary()["left_out"] == ["thorough"]
    checks = {
        check.check_name: (check.passed, check.severity)
        for check in result.get_asset_check_evaluations()
    }
    assert checks["fast"][0] is True
    assert checks["thorough"] == (False, dg.AssetCheckSeverity.WARN)
    assert [suite.name for suite in tier.remembered(result.run_id).suites] == ["fast"]


def test_stages_show_what_they_did_and_store_nothing_for_each_other(tier: Tier):
    tier.suite(GREEN)

    result = tier.run()

    shown = {
        event.asset_key.path[-1]: set(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert list(shown) == ["cluster", "platform", "test_job", "results", "released"]
    # Dagster's own word for a file that it keeps a value in.
    assert not [stage for stage, keys in shown.items() if "path" in keys]


def test_a_choice_of_nothing_is_refused_before_anything_starts(tier: Tier):
    tier.project.tier(
        "  name: tiny\n  description: one suite\n  environments: [local]\n"
        "  suites: [{name: fast, groups: [smoke], command: [pytest]}]\n"
    )

    result = tier.run(run_config={"ops": {"tiny__cluster": {"config": {"groups": ["smok"]}}}})

    assert not result.success
    assert tier.summary()["cause"] == "CONFIG"
    assert "groups smok choose no suite" in tier.summary()["evidence"][0]["value"]


def test_after_a_red_run_the_environment_stays_where_the_tier_keeps_it(tier: Tier):
    tier.suite("def test_a(): assert False", settings="  keep: on_failure\n")

    result = tier.run()

    assert tier.lease(result.run_id)["state"] == "kept"
    assert tier.remembered(result.run_id).retained_lease == result.run_id


def test_an_environment_that_the_tier_has_not_is_refused_before_anything_starts(tier: Tier):
    tier.suite(GREEN)

    result = tier.run(run_config={"ops": {"tiny__cluster": {"config": {"environment": "kind"}}}})

    assert not result.success
    summary = tier.summary()
    assert summary["cause"] == "CONFIG"
    assert "tier tiny does not run on kind" in summary["evidence"][0]["value"]
    assert not (tier.output / "tiny" / "runs" / result.run_id / "tiny-suite-1").exists()


def test_a_step_without_the_cluster_stage_has_no_environment_and_fails(tier: Tier):
    tier.suite(GREEN)

    result = tier.run(asset_selection=[dg.AssetKey(["tiny", "test_job"])])

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "this run has no environment" in str(failure.step_failure_data.error)


JOB = """
import dagster as dg


def tiny() -> dg.JobDefinition:
    return defs().get_repository_def().get_job("tiny")
"""


def test_re_execution_from_failure_says_that_the_environment_is_gone(tier: Tier):
    """Dagster skips the cluster stage, which had succeeded; tests must not run against nothing."""
    tier.suite("def test_a(): assert False")
    file = tier.project.root / tier.project.package / "definitions.py"
    file.write_text(file.read_text() + JOB)
    module = importlib.import_module(f"{tier.project.package}.definitions")
    with dg.DagsterInstance.get() as instance:
        job = dg.reconstructable(module.tiny)
        first = dg.execute_job(job, instance=instance, raise_on_error=False)
        tier.project.write("suite/test_tiny.py", "def test_a(): pass")

        options = dg.ReexecutionOptions.from_failure(first.run_id, instance)
        second = dg.execute_job(
            job, instance=instance, reexecution_options=options, raise_on_error=False
        )

    assert not second.success
    failures = [event for event in second.all_events if event.is_step_failure]
    assert f"run {first.run_id} gave its environment back" in str(failures[0].step_failure_data)
    assert tier.remembered(second.run_id).outcome == "failed"


HANGS = """\
import os, pathlib, signal, subprocess
def test_a(): pass
def test_hangs():
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path("ids.part").write_text(f"{os.getpid()} {child.pid}")
    pathlib.Path("ids.part").rename("ids")
    signal.pause()
"""


KILLED_ONCE = """\
import os, pathlib, signal

def test_passes(): pass

def test_is_killed_once():
    first = pathlib.Path(__file__).with_name("first")
    if not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_that_nothing_explains_is_tried_again_and_both_attempts_are_kept(tier: Tier):
    tier.suite(KILLED_ONCE)

    result = tier.run()

    assert result.success
    summary = tier.summary()
    assert summary["cause"] == "PASS"
    assert [each["cause"] for each in summary["attempts"]] == ["KILLED_UNKNOWN", "PASS"]
    remembered = tier.remembered(result.run_id)
    assert "attempt 1 was KILLED_UNKNOWN" in remembered.summary, "a green run hides no attempt"
    assert [each.cause for each in remembered.suites[0].attempts] == ["KILLED_UNKNOWN", "PASS"]
    evidence = " ".join(str(item) for item in remembered.suites[0].attempts[0].evidence)
    assert "test_is_killed_once" in evidence
    assert "KILLED_UNKNOWN" in (tier.output / "tiny" / "junit.xml").read_text()


def test_a_failed_test_is_never_tried_again(tier: Tier):
    tier.suite("def test_fails(): assert False")

    tier.run()

    assert [each["cause"] for each in tier.summary()["attempts"]] == ["TEST_FAILURE"]


def test_a_cancelled_job_is_red_remembered_as_cancelled_and_leaves_no_process(tier: Tier):
    tier.suite(HANGS)
    ids = tier.project.root / "ids"
    words = ["dagster", "job", "execute", "-m", f"{tier.project.package}.definitions", "-j", "tiny"]
    with subprocess.Popen(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        cwd=tier.project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as job:
        assert job.stdout is not None
        lines: list[str] = []
        for line in job.stdout:
            lines.append(line)
            if "test_a" in line and "passed" in line:
                break
        else:
            pytest.fail("".join(lines))
        while not ids.exists():
            assert job.poll() is None
        family = psutil.Process(job.pid).children(recursive=True)
        job.send_signal(signal.SIGTERM)
        lines += job.communicate(timeout=60)[0].splitlines(keepends=True)

    _, alive = psutil.wait_procs(family, timeout=10)
    left = [item for item in alive if item.status() != psutil.STATUS_ZOMBIE]
    for item in left:
        item.kill()
    output = "".join(lines)
    assert job.returncode == 1, output
    summary = tier.summary()
    assert (summary["cause"], summary["fault"]) == ("CANCELLED", "cancelled")
    assert tier.remembered(summary["run_id"]).outcome == "cancelled"
    assert summary["passed"] == 1, "what had passed before is reported"
    assert tier.lease(summary["run_id"])["state"] == "released"
    assert len(family) >= 3
    assert left == []


def test_a_run_that_a_newer_one_supersedes_ends_and_its_verdict_says_by_which(tier: Tier):
    """The sensor ends what `dagster job execute` runs on its machine, too."""
    tier.suite(HANGS)
    name = f"{tier.project.package}.definitions"
    words = ["dagster", "job", "execute", "-m", name, "-j", "tiny"]
    words += ["--tags", json.dumps({"floe-tests/ref": "feature", "floe-tests/trigger": "push"})]
    with (
        dg.DagsterInstance.get() as instance,
        subprocess.Popen(
            [str(Path(sys.executable).with_name(words[0])), *words[1:]],
            cwd=tier.project.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as job,
    ):
        assert job.stdout is not None
        line = next(line for line in job.stdout if "test_a" in line and "passed" in line)
        newer = instance.add_run(
            dg.DagsterRun(
                "tiny",
                str(uuid4()),
                status=dg.DagsterRunStatus.STARTED,
                tags={"floe-tests/tier": "tiny", "floe-tests/ref": "feature"},
            )
        )
        repository = tier.project.load().get_repository_def()
        said = repository.get_sensor_def("superseded")(
            dg.build_sensor_context(instance=instance, repository_def=repository)
        )
        output = line + job.communicate(timeout=60)[0]

    summary = tier.summary()
    remembered = tier.remembered(summary["run_id"])
    assert job.returncode == 1, output
    assert isinstance(said, dg.SkipReason)
    assert f"SIGTERM to its process {job.pid}" in str(said.skip_message)
    assert "RUN_CANCELED" in output
    assert (remembered.cause, remembered.outcome) == ("CANCELLED", "cancelled")
    assert f"superseded by run {newer.run_id[:8]} on feature" in remembered.summary
    assert (remembered.ref, remembered.trigger) == ("feature", "push")
    assert summary["passed"] == 1, "what had passed before is reported"


@pytest.mark.parametrize(
    ("expires", "cause"),
    [("2999-01-01", "PASS"), ("2020-01-01", "TEST_FAILURE")],
    ids=["in quarantine", "past its last day"],
)
def test_a_quarantined_test_runs_and_is_reported_and_fails_no_gate(
    tier: Tier, expires: str, cause: str
):
    tier.project.write(
        "quarantine.yaml",
        "- {test: 'suite.test_tiny::test_wavers', owner: data, reason: a race, "
        f"expires: {expires}}}\n",
    )
    tier.suite(FLAKY, settings="  quarantine: quarantine.yaml\n")
    result = tier.run()
    assert result.success == (cause == "PASS")
    remembered = tier.remembered(result.run_id)
    assert (remembered.cause, remembered.suites[0].tally.failed) == (cause, 1)
    excused = cause == "PASS"
    assert remembered.suites[0].quarantined == (
        ("suite.test_tiny::test_wavers",) if excused else ()
    )
    junit = tier.junit()
    assert (junit.tests, junit.failures, junit.skipped) == (2, int(not excused), int(excused))
    notices = tier.summary()["notices"]
    assert (
        any("quarantined until 2999-01-01 by data: a race" in each for each in notices) == excused
    )


def test_a_quarantine_that_is_over_fails_a_run_without_failures(tier: Tier):
    tier.project.write(
        "quarantine.yaml",
        "- {test: 'suite.test_tiny::test_adds', owner: data, reason: a race, "
        "expires: 2020-01-01}\n",
    )
    tier.suite(GREEN, settings="  quarantine: quarantine.yaml\n")
    result = tier.run()
    assert not result.success
    assert tier.summary()["cause"] == "QUARANTINE_EXPIRED"
    assert "by data ended on 2020-01-01" in check_of(result).description


def test_a_run_is_found_by_its_verdict_and_leaves_its_page_and_bundle(tier: Tier):
    tier.suite(FLAKY)
    result = tier.run()
    run = tier.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["floe-tests/environment"] == "local"
    assert run.tags["floe-tests/cause"] == "TEST_FAILURE"
    summary = tier.summary()
    assert summary["flaky"] == 0
    assert "test_wavers" in Path(summary["report"]).read_text()
    record = bundle.read(tier.output / "tiny" / bundle.NAME)
    assert replace(
        record, suites=tuple(replace(suite, cases=()) for suite in record.suites)
    ) == tier.remembered(result.run_id)


def test_what_the_infrastructure_did_before_the_tests_is_an_observation(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
):
    tier.suite(GREEN)

    def fail(*_: object, **__: object) -> None:
        message = "no node came up"
        raise InfrastructureError(message)

    monkeypatch.setattr("floe_tests.pipeline.run.TierRun.install", fail)
    result = tier.run()
    assert not result.success
    records = tier.instance.fetch_observations(dg.AssetKey(["tiny", "results"]), limit=5).records
    (observation,) = [record.asset_observation for record in records]
    assert observation is not None
    assert observation.metadata["cause"].value == "INFRA_CLUSTER"
    assert observation.metadata["run"].value == result.run_id
    run = tier.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["floe-tests/fault"] == "infrastructure"


SOAKING = """\
import json
import os
from pathlib import Path

FOLDER = Path(os.environ["FLOE_RESULTS_DIR"])
LEAK = float(os.environ["LEAK"])


def test_soaks():
    lines = [{"kind": "start", "planned_seconds": 600, "interval_seconds": 15,
              "fingerprint": {"scale": 1}}]
    for place in range(41):
        seconds = 15 * place
        lines.append({"kind": "sample", "elapsed": seconds, "component": "cube", "pod": "cube-0",
                      "memory_bytes": (400 + LEAK * seconds / 60 + place % 2) * 2**20,
                      "memory_limit_bytes": 2**30, "restarts": 0, "oom_kills": 0})
        lines.append({"kind": "load", "elapsed": seconds, "operation": "q", "requests": 9,
                      "errors": 0, "p50_seconds": 0.1, "p95_seconds": 0.2})
    lines.append({"kind": "end", "elapsed": 600, "reason": "completed"})
    text = "".join(json.dumps(line) + "\\n" for line in lines)
    (FOLDER / "soak.jsonl").write_text(text)
"""
MEASURING = """\
import json
import os
from pathlib import Path

FOLDER = Path(os.environ["FLOE_RESULTS_DIR"])


def test_measures():
    values = [float(os.environ["SECONDS"]) + 0.001 * n for n in range(12)]
    measured = {"name": "ingest", "unit": "s", "better": "lower", "warmup": [], "values": values}
    document = {"fingerprint": {"scale": 1}, "measurements": [measured]}
    (FOLDER / "benchmark.json").write_text(json.dumps(document))
"""


def test_a_leak_makes_a_soak_red_though_every_test_passed(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
):
    tier.suite(SOAKING, settings="      soak: {}\n      pass_environment: [LEAK]\n")
    monkeypatch.setenv("LEAK", "0")
    healthy = tier.run()
    assert healthy.success
    monkeypatch.setenv("LEAK", "20")

    result = tier.run()

    assert not result.success
    assert not check_of(result).passed
    record = tier.remembered(result.run_id)
    assert (record.cause, record.outcome, record.fault) == ("SOAK_DRIFT", "failed", "platform")
    assert "cube memory growth" in record.summary
    assert [each.finding for each in record.suites[0].soak if each.metric == "memory"] == ["drift"]
    assert "CUSUM against the last good run" in tier.summary()["evidence"][0]["value"]
    assert tier.junit().errors == 1
    page = tier.output / "tiny" / "soak.html"
    assert "SOAK_DRIFT" in page.read_text()
    assert 'href="soak.html"' in page.with_name("report.html").read_text()
    shown = result.asset_materializations_for_node("tiny__results")[0].metadata
    assert shown["soak page"].value == str(page)
    assert shown["cube memory growth MiB/h"].value == pytest.approx(1200, rel=0.05)


def test_a_soak_that_leaves_no_file_is_inconclusive_and_red(tier: Tier):
    """Whoever forgets to write soak.jsonl must not have a green soak for it."""
    tier.suite("def test_forgets():\n    pass\n", settings="      soak: {}\n")

    result = tier.run()

    assert not result.success
    record = tier.remembered(result.run_id)
    assert (record.cause, record.outcome) == ("INCONCLUSIVE", "inconclusive")
    assert "soak.jsonl: no such file arrived" in record.suites[0].notices


def test_a_benchmark_records_its_baseline_and_then_finds_what_is_slower(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
):
    passed = "      pass_environment: [SECONDS]\n"
    tier.suite(MEASURING, settings="      benchmark: {run_spread: 0.01}\n" + passed)
    monkeypatch.setenv("SECONDS", "2.0")
    first = tier.remembered(tier.run().run_id)
    assert first.cause == "PASS"
    assert any("ingest baseline: recorded" in each for each in first.suites[0].notices)
    assert tier.remembered(tier.run().run_id).cause == "PASS"
    monkeypatch.setenv("SECONDS", "2.4")

    result = tier.run()

    assert not result.success
    record = tier.remembered(result.run_id)
    assert record.cause == "REGRESSION"
    assert "ingest regression: +19.9%" in record.summary
    assert record.suites[0].measurements[0].change == pytest.approx(0.2, abs=0.01)
