"""What a suite can do to itself: memory, time, exit codes, files."""

from __future__ import annotations

import signal

import pytest

from floe_tests.core.verdict import Cause
from floe_tests.execution.timeouts import TESTS_SLACK_SECONDS
from floe_tests.results.formats import junit

from ..conftest import job  # noqa: TID252 - suites are folders, not packages
from .bench import FaultBench, pod_of

LITTLE_MEMORY = {"requests": {"memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}


def test_out_of_memory(bench: FaultBench) -> None:
    code = """
        def test_before(): pass
        def test_eats_memory():
            hoard = []
            while True: hoard.append(bytearray(8 * 1024 * 1024))
    """
    published = bench.run(job(code, resources=LITTLE_MEMORY))

    bench.judge(
        "tests out of memory",
        published,
        Cause.RESOURCE_OOM,
        "OOMKilled",
        "test_eats_memory",
        "1 of 2 reported",
    )
    reported = {case.name for case in published.suites[0].results.cases}
    assert "test_suite::test_before" in reported


def test_a_hanging_test(bench: FaultBench) -> None:
    code = """
        import threading
        def test_before(): pass
        def test_hangs(): threading.Event().wait()
    """
    published = bench.run(
        job(code), deadlines={"tests_seconds": 8, "pod_seconds": 40, "job_seconds": 120}
    )

    bench.judge("a test hangs", published, Cause.TEST_TIMEOUT, "test_hangs", "1 of 2 reported")
    stacks = published.directory / "suite-1" / "results" / "timeout-stacks.txt"
    assert "test_hangs" in stacks.read_text()


@pytest.mark.thorough
def test_a_hang_in_collection(bench: FaultBench) -> None:
    published = bench.run(
        job("import threading\nthreading.Event().wait()\ndef test_never(): pass"),
        deadlines={"tests_seconds": 8, "pod_seconds": 40, "job_seconds": 120},
    )

    # The container's time: it counts the start of Python too, which is longer on a busy machine.
    evidence = "seconds of the tests", "the deadline is 8"
    attempt = bench.judge("collection hangs", published, Cause.TEST_TIMEOUT, *evidence)
    assert attempt is not None
    assert 8 <= (attempt.facts.tests_seconds or 0) < 8 + TESTS_SLACK_SECONDS + 2
    stacks = published.directory / "suite-1" / "results" / "timeout-stacks.txt"
    assert "test_suite.py" in stacks.read_text()


@pytest.mark.thorough
def test_a_program_that_ignores_its_timeout(bench: FaultBench) -> None:
    manifest = job("", command=["python", "-c", "import threading; threading.Event().wait()"])
    published = bench.run(
        manifest, deadlines={"tests_seconds": 3, "pod_seconds": 60, "job_seconds": 120}
    )

    bench.judge("a program ignores its timeout", published, Cause.TEST_TIMEOUT, "tests deadline")


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        pytest.param("exit 2", Cause.INTERRUPTED, id="2", marks=pytest.mark.thorough),
        pytest.param("exit 3", Cause.TEST_CRASH, id="3"),
        pytest.param("pytest --no-such-option", Cause.CONFIG, id="4", marks=pytest.mark.thorough),
        pytest.param("cd /tmp; exec pytest -p no:cacheprovider", Cause.NO_TESTS, id="5"),
    ],
)
def test_pytests_own_exit_codes(
    bench: FaultBench, command: str, cause: Cause, request: pytest.FixtureRequest
) -> None:
    code = request.node.callspec.id
    published = bench.run(job("", command=["sh", "-c", command]))

    bench.judge(f"pytest's exit code {code}", published, cause, f"exit code: {code}")


def test_a_collection_that_fails(bench: FaultBench) -> None:
    published = bench.run(job("import no_such_module\ndef test_never(): pass"))

    bench.judge("collection fails", published, Cause.INTERRUPTED, "exit code: 2")
    cases = junit.read(published.junit)
    assert any("no_such_module" in case.text + case.message for case in cases)


@pytest.mark.thorough
def test_a_kill_that_nothing_explains_is_tried_once_more(bench: FaultBench) -> None:
    """A process of the suite kills process 1's children; the kernel had no part in it."""
    code = """
        import pathlib
        def test_before(): pass
        def test_is_killed(): pathlib.Path("/tmp/killed").touch(); open("/tmp/wait").read()
    """
    manifest = job(code)
    script = pod_of(manifest)["containers"][0]["command"][2]
    # A shell that ends as its child does: 128 + SIGKILL.
    script = script.replace("exec pytest", "mkfifo /tmp/wait; pytest", 1)
    pod_of(manifest)["containers"][0]["command"][2] = (
        f"{script} & child=$!; until [ -e /tmp/killed ]; do sleep 0.1; done; "
        "pkill -KILL -P $child 2>/dev/null; kill -KILL $child; wait $child; exit $?"
    )
    published = bench.run(manifest)

    bench.judge("exit code 137 and no reason", published, Cause.KILLED_UNKNOWN, "137")
    assert [attempt.number for attempt in published.suites[0].attempts] == [1, 2]


def test_a_truncated_junit_file(bench: FaultBench) -> None:
    write = 'printf \'<testsuites><testsuite name="x"><testcase name="a"/>\' > /results/junit.xml'
    published = bench.run(job("", command=["sh", "-c", write]))

    bench.judge("junit.xml truncated", published, Cause.RESULT_LOST, "cut off")


def test_no_results_at_all(bench: FaultBench) -> None:
    published = bench.run(job("", command=["true"]))

    bench.judge("no results at all", published, Cause.RESULT_LOST, "no test result arrived")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param("os._exit(0)", "exit code: 0", id="exit code 0 in the middle"),
        # A real one: a signal that process 1 sends itself is ignored.
        pytest.param(
            "ctypes.string_at(0)",
            "exit code: 139 (SIGSEGV)",
            id="SIGSEGV",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_test_that_ends_the_program(
    bench: FaultBench, end: str, words: str, request: pytest.FixtureRequest
) -> None:
    code = f"""
        import ctypes, os
        def test_first(): pass
        def test_leaves(): {end}
        def test_never_runs(): pass
    """
    published = bench.run(job(code))

    name = request.node.callspec.id
    bench.judge(name, published, Cause.TEST_CRASH, words, "test_leaves", "1 of 3")


@pytest.mark.thorough
def test_a_crash_after_the_results(bench: FaultBench) -> None:
    code = (
        "import ctypes, pathlib\n"
        "report = '<testsuite><testcase name=\"a\"/></testsuite>'\n"
        "pathlib.Path('/results/junit.xml').write_text(report)\n"
        "ctypes.string_at(0)\n"
    )
    published = bench.run(job("", command=["python", "-c", code]))

    bench.judge("SIGSEGV, JUnit complete", published, Cause.TEST_CRASH, "139 (SIGSEGV)")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("document", "cause", "words"),
    [
        pytest.param(
            '<testsuite name="x" tests="5" failures="0"><testcase name="a"/></testsuite>',
            Cause.RESULT_LOST,
            "5",
            id="JUnit declares 5 tests and has 1",
        ),
        pytest.param(
            '<testsuites tests="0"><testsuite name="x" tests="0"/></testsuites>',
            Cause.NO_TESTS,
            "none ran",
            id="JUnit of no test",
        ),
    ],
)
def test_what_junit_says_of_itself(
    bench: FaultBench, document: str, cause: Cause, words: str, request: pytest.FixtureRequest
) -> None:
    write = f"printf %s '{document}' > /results/junit.xml"
    published = bench.run(job("", command=["sh", "-c", write]))

    bench.judge(request.node.callspec.id, published, cause, words)


def test_a_failure_that_was_reported_before_the_pod_was_deleted(bench: FaultBench) -> None:
    """The next attempt passes, and does not make it undone."""
    code = """
        import socket, threading
        first = socket.gethostname().split("-")[-2] == "1"  # SUITE-RUN-ATTEMPT-xxxxx
        def test_fails(): assert not first
        def test_waits(): threading.Event().wait(60 if first else 0)
    """
    running = bench.start(job(code))
    running.wait_for("FAILED test_suite::test_fails")
    bench.kubectl("delete", "pod", running.pod(), "-n", running.namespace, "--wait=false")
    published = running.finish()

    bench.judge(
        "a test failed, then the pod was deleted; the next attempt passed",
        published,
        Cause.INFRA_NODE,
        "test_fails outcome: failed",
        finally_seen=Cause.TEST_FAILURE,
    )
    assert "failed in an earlier attempt" in str(published.verdict)


def test_nothing_collected(bench: FaultBench) -> None:
    bench.judge("no tests", bench.run(job("")), Cause.NO_TESTS, "exit code: 5")


@pytest.mark.thorough
def test_a_disk_beyond_its_limit(bench: FaultBench) -> None:
    """The kubelet looks at volumes now and then, and evicts the pod: no disruption, its fault."""
    code = """
        import threading
        def test_before(): pass
        def test_fills():
            with open("/results/fill", "wb") as file:
                for _ in range(40): file.write(bytes(1024 * 1024))
            threading.Event().wait()
    """
    manifest = job(code)
    pod_of(manifest)["volumes"][0]["emptyDir"] = {"sizeLimit": "20Mi"}
    published = bench.run(
        manifest, deadlines={"tests_seconds": 150, "pod_seconds": 170, "job_seconds": 300}
    )

    bench.judge(
        "disk of /results beyond its limit",
        published,
        Cause.RESOURCE_EVICTED,
        "exceeds the limit",
        "test_fills",
    )
    reported = {case.name for case in published.suites[0].results.cases}
    assert "test_suite::test_before" in reported


def test_a_full_disk(bench: FaultBench) -> None:
    """Writing fails at once where /results is in memory; what was written before is kept."""
    code = """
        def test_before(): pass
        def test_fills():
            with open("/results/fill", "wb", buffering=0) as file:
                while file.write(bytes(64 * 1024)): pass
        def test_after(): pass
    """
    manifest = job(code)
    pod_of(manifest)["volumes"][0]["emptyDir"] = {"sizeLimit": "4Mi", "medium": "Memory"}
    published = bench.run(manifest)

    attempt = bench.judge("disk full in /results", published, Cause.RESOURCE_DISK, "full")
    assert attempt is not None
    log = (attempt.directory / "pod.log").read_text()
    assert "No space left on device" in log
    assert "test_suite::test_before" in {case.name for case in published.suites[0].results.cases}


def test_a_signal_from_nobody(bench: FaultBench) -> None:
    """Somebody with access to the node ends the tests: exit code 143, and no reason anywhere."""
    code = """
        import os, signal, threading
        def test_before(): pass
        def test_is_ended(): os.kill(os.getpid(), signal.SIGTERM); threading.Event().wait(30)
    """
    published = bench.run(job(code))

    attempt = bench.judge(
        "SIGTERM and no reason", published, Cause.KILLED_UNKNOWN, "143", "test_is_ended"
    )
    assert attempt is not None
    assert attempt.facts.results.passed == 1
    assert 128 + signal.SIGTERM == 143
