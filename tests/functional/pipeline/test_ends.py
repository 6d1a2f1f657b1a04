"""Every way in which a suite may end, by the real command on this machine: whose fault it is."""

from __future__ import annotations

import os
import signal
import textwrap
import threading

import pytest

from floe_tests.core.verdict import Cause, Fault
from floe_tests.pipeline.published import PublishedRun

from .conftest import Suites

REPORTS = "--junitxml=/results/junit.xml --report-log=/results/events.jsonl -p no:cacheprovider -q"


def run_pytest(
    suites: Suites, tests: str, *, command: str = "", **settings: object
) -> PublishedRun:
    """Run a file of tests with the real pytest; `command` is a shell line with PYTEST in it."""
    file = suites.root / "test_suite.py"
    file.write_text(textwrap.dedent(tests))
    line = (command or "PYTEST").replace("PYTEST", f"pytest {file} {REPORTS}")
    return suites.run_command(["sh", "-c", line], **settings)


def evidence(published: PublishedRun) -> str:
    return "\n".join(map(str, published.verdict.evidence))


KILLED_AFTER_A_FAILURE = """
import os, signal
from pathlib import Path

ran = Path(__file__).with_name("ran")

def test_a():
    assert ran.exists(), "first attempt"

def test_b():
    if not ran.exists():
        ran.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_failure_before_a_kill_stays_when_the_next_attempt_passes(suites: Suites):
    published = run_pytest(suites, KILLED_AFTER_A_FAILURE)

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert published.verdict.earlier[0].startswith("KILLED_UNKNOWN")
    assert "test_suite::test_a outcome: failed in an earlier attempt" in evidence(published)
    (suite,) = published.suites
    failed = next(case for case in suite.results.cases if case.outcome.is_failing)
    assert failed.message.startswith("failed in attempt 1, passed in attempt 2: ")
    assert "first attempt" in failed.text
    assert 'failures="1"' in published.junit.read_text(), "a CI that reads JUnit alone is red"


def test_such_a_failure_in_quarantine_lets_the_run_pass(suites: Suites):
    quarantine = "quarantine.yaml"
    (suites.root / quarantine).write_text(
        "- {test: 'test_suite::test_a', owner: me, reason: known, expires: 2999-01-01}\n"
    )

    published = run_pytest(suites, KILLED_AFTER_A_FAILURE, quarantine=quarantine)

    assert published.verdict.cause is Cause.PASS, evidence(published)


def test_a_failure_that_repeats_is_the_tests_whatever_ends_them(suites: Suites):
    published = run_pytest(
        suites,
        """
        import os, signal

        def test_a():
            assert False, "each time"

        def test_b():
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert published.verdict.earlier[0].startswith("KILLED_UNKNOWN")
    assert "test_suite::test_a outcome: failed in more than one attempt" in evidence(published)


LISTED = ("test_suite::test_q", "test_suite", "s::(suite)")


def run_listed(suites: Suites, command: str, tests: str = "") -> PublishedRun:
    """Run a suite with a quarantine list of `LISTED`."""
    (suites.root / "quarantine.yaml").write_text(
        "".join(
            f"- {{test: '{name}', owner: me, reason: known, expires: 2999-01-01}}\n"
            for name in LISTED
        )
    )
    return run_pytest(suites, tests, command=command, quarantine="quarantine.yaml")


ONE_QUARANTINED = "def test_q():\n    assert 0\ndef test_y():\n    pass\n"
COVERAGE = "FAIL Required test coverage of 99% not reached. Total coverage: 33.33%"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        pytest.param(f"PYTEST; code=$?; echo '{COVERAGE}'; exit $code", COVERAGE, id="coverage"),
        pytest.param(
            "pytest --junitxml=/results/junit.xml -p no:floe_tests_pytest -q -x test_suite.py",
            "stopping after 1 failures",
            id="-x",
        ),
        pytest.param(
            "printf 'def pytest_sessionfinish():\\n raise OSError(7)' > conftest.py; PYTEST",
            "OSError: 7",
            id="an error in a hook",
        ),
    ],
)
def test_a_failure_in_quarantine_does_not_explain_what_has_another_reason(
    suites: Suites, command: str, shown: str
):
    published = run_listed(suites, command, ONE_QUARANTINED)

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert shown in evidence(published)


def test_a_failure_in_quarantine_that_explains_the_exit_code_says_so(suites: Suites):
    published = run_listed(suites, "PYTEST --tb=native", ONE_QUARANTINED)

    assert published.verdict.cause is Cause.PASS, evidence(published)
    assert (
        published.suites[0]
        .notices[0]
        .startswith("exit code 1 is explained by quarantined failures alone: ")
    )


@pytest.mark.parametrize(
    ("command", "tests", "name"),
    [
        pytest.param(
            """echo '<testsuite name="s" failures="5"><testcase classname="a" name="x"/>"""
            """</testsuite>' > /results/junit.xml; exit 1""",
            "",
            "s::(suite)",
            id="a suite as a whole",
        ),
        pytest.param(
            "echo 'def test_x(): pass' > test_b.py; PYTEST test_b.py "
            "--continue-on-collection-errors",
            "import nope",
            "test_suite",
            id="a module that cannot be collected",
        ),
    ],
)
def test_only_a_test_can_be_in_quarantine(suites: Suites, command: str, tests: str, name: str):
    """Behind the failure of a module or a suite stand tests that nobody has listed."""
    published = run_listed(suites, command, tests)

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert f"{name} outcome: failed" in evidence(published)
    assert not published.suites[0].quarantined


def test_a_fresh_attempt_with_fewer_tests_is_not_green(suites: Suites):
    """Killed after 2 of 3 tests; then it collected 1."""
    case = '<testcase classname="a" name="%s"/>'
    first, second = case % "x" + case % "y", case % "x"
    line = (
        "echo '<testsuite>%s</testsuite>' > /results/junit.xml; "
        "echo '{\"collected\": %d}' > /results/collection.json"
    )
    published = run_pytest(
        suites,
        "",
        command=f"test -e ran || {{ touch ran; {line % (first, 3)}; exit 143; }}; "
        f"{line % (second, 1)}",
    )

    assert published.verdict.cause is Cause.RESULT_LOST, evidence(published)
    assert "attempt 1 collected 3 tests, attempt 2 reported 1: a::y" in evidence(published)


def test_a_failure_of_a_whole_report_gets_no_fresh_attempt_whatever_the_exit_code(suites: Suites):
    published = run_pytest(
        suites,
        "",
        command="""echo '<testsuite><testcase name="x"/><testcase name="y"><failure/></testcase>"""
        """</testsuite>' > /results/junit.xml; exit 137""",
    )

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert len(published.suites[0].attempts) == 1


@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param("os.kill(os.getpid(), 11)", "139 (SIGSEGV)", id="SIGSEGV"),
        pytest.param("os.abort()", "134 (SIGABRT)", id="SIGABRT"),
        pytest.param("os.kill(os.getpid(), 8)", "136 (SIGFPE)", id="SIGFPE"),
        pytest.param("os._exit(0)", "left before its session was over", id="exit code 0"),
        pytest.param("os._exit(7)", "left before its session was over", id="exit code 7"),
        pytest.param("os._exit(3)", "exit code: 3", id="as pytest's own"),
    ],
)
def test_a_test_that_ends_the_program_is_named(suites: Suites, end: str, words: str):
    published = run_pytest(
        suites,
        f"""
        import os
        def test_before(): pass
        def test_end(): {end}
        def test_after(): pass
        """,
    )

    assert published.verdict.cause is Cause.TEST_CRASH, evidence(published)
    assert "test_suite::test_end state: was running" in evidence(published)
    assert words in evidence(published)


def test_a_program_that_leaves_between_two_tests_is_the_suites_fault(suites: Suites):
    (suites.root / "conftest.py").write_text(
        "import os\ndef pytest_runtest_logfinish(nodeid):\n    if 'test_a' in nodeid: os._exit(0)\n"
    )

    published = run_pytest(suites, "def test_a(): pass\ndef test_b(): pass\n")

    assert published.verdict.cause is Cause.TEST_CRASH, evidence(published)


@pytest.mark.parametrize(
    ("tests", "command", "cause"),
    [
        pytest.param(
            "import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('enough')\n",
            "PYTEST | cat",
            Cause.INTERRUPTED,
            id="pytest.exit in the middle",
        ),
        pytest.param(
            "def test_a(): assert 0\n", "PYTEST | cat", Cause.TEST_FAILURE, id="a failure"
        ),
        pytest.param(
            "import nothing_like_it\n", "PYTEST; true", Cause.INTERRUPTED, id="collection"
        ),
        pytest.param("x = 1\n", "PYTEST || true", Cause.NO_TESTS, id="no tests"),
        pytest.param(
            "def test_a(): pass\n",
            "PYTEST --no-such-option || true",
            Cause.RESULT_LOST,
            id="an option that pytest does not know",
        ),
    ],
)
def test_a_hidden_exit_code_hides_nothing(suites: Suites, tests: str, command: str, cause: Cause):
    published = run_pytest(suites, tests, command=command)

    assert published.verdict.cause is cause, evidence(published)


def test_a_suite_of_other_tools_may_use_exit_code_2(suites: Suites):
    """Mocha's exit code is the number of failures."""
    published = suites.run(
        """
        junit.write_text(
            '<testsuite name="mocha" tests="3" failures="2"><testcase classname="a" name="x"/>'
            '<testcase classname="a" name="y"><failure message="no"/></testcase>'
            '<testcase classname="a" name="z"><failure message="no"/></testcase></testsuite>'
        )
        sys.exit(2)
        """
    )

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert published.suites[0].results.tally.failing == 2


def test_a_program_that_writes_no_result_is_not_the_harness(suites: Suites):
    published = suites.run("sys.exit(1)")

    assert (published.verdict.cause, published.verdict.fault) == (Cause.RESULT_LOST, "test")
    assert "no test result arrived" in evidence(published)


def test_a_session_that_is_over_is_judged_by_its_results_though_its_program_hangs(suites: Suites):
    (suites.root / "conftest.py").write_text(
        "import atexit, time\natexit.register(time.sleep, 60)\n"
    )

    published = run_pytest(
        suites,
        "def test_a(): assert 0\n",
        deadlines={"tests_seconds": 3, "pod_seconds": 20, "job_seconds": 60},
    )

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)


@pytest.mark.parametrize(
    ("tests", "command", "cause", "words"),
    [
        pytest.param("def test_a(): pass\n", "PYTEST --nope", Cause.CONFIG, "--nope", id="option"),
        pytest.param(
            "def test_a(): pass\n", "pytest nowhere/at_all", Cause.CONFIG, "nowhere", id="path"
        ),
        pytest.param("def test_a(): pass\n", "no-such-tool", Cause.RESULT_LOST, "tool", id="tool"),
    ],
)
def test_a_suite_that_cannot_begin_is_not_the_harness(
    suites: Suites, tests: str, command: str, cause: Cause, words: str
):
    published = run_pytest(suites, tests, command=command)

    assert published.verdict.cause is cause, evidence(published)
    assert published.verdict.fault != "harness"
    assert " log: " in evidence(published)
    assert words in evidence(published)


def test_a_conftest_that_does_not_load_is_named_with_its_error(suites: Suites):
    (suites.root / "conftest.py").write_text("import nothing_like_it\n")

    published = run_pytest(suites, "def test_a(): pass\n")

    assert published.verdict.cause is Cause.CONFIG, evidence(published)
    assert "No module named 'nothing_like_it'" in evidence(published)


def test_a_session_that_a_test_ends_with_exit_code_0_is_not_green(suites: Suites):
    published = run_pytest(
        suites,
        "import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('bye', returncode=0)\n",
    )

    assert published.verdict.cause in {Cause.INTERRUPTED, Cause.RESULT_LOST}, evidence(published)
    assert "test_suite::test_b" in evidence(published)


def test_a_red_run_without_a_failed_test_is_red_in_junit_too(suites: Suites):
    """Only the exit code says so, and many a CI reads JUnit alone."""
    published = run_pytest(suites, "def test_a(): pass\n", command="PYTEST; exit 1")

    assert published.verdict.cause is Cause.TEST_FAILURE, evidence(published)
    assert 'errors="1"' in published.junit.read_text()


def test_a_run_that_is_cancelled_after_a_red_suite_is_cancelled_and_names_all(
    suites: Suites,
) -> None:
    begun = suites.root / "begun"
    os.mkfifo(begun)

    def interrupt() -> None:
        begun.read_bytes()  # until the second suite has opened and closed it
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    red = ["python", "-c", "raise SystemExit(1)"]
    hangs = f"import pathlib, time; pathlib.Path({str(begun)!r}).write_text('x'); time.sleep(60)"
    threading.Thread(target=interrupt, daemon=True).start()
    published = suites.run_command(
        red,
        suites=[
            {"name": "red", "command": red},
            {"name": "second", "command": ["python", "-c", hangs]},
            {"name": "third", "command": red},
        ],
    )

    said = [str(each) for each in published.verdict.evidence]
    assert published.verdict.cause == Cause.CANCELLED, said
    assert any("suite/red" in line and str(published.suites[0].verdict) in line for line in said)
    assert any("suite/third" in line and "cancelled before it" in line for line in said)
    assert published.suites[0].verdict.fault is Fault.TEST
