"""A run is a pod, and whatever is taken away in its middle, it reaches its verdict."""

from __future__ import annotations

import pytest

from .orchestrator import NAMESPACE, PLATFORM, Orchestrator

pytestmark = pytest.mark.usefixtures("_nothing_left")


def pass_of(orchestrator: Orchestrator, run_id: str) -> None:
    """Check that a run went well, and that the history in Postgres says so."""
    status = orchestrator.wait_until_over(run_id, timeout_seconds=120)
    assert status == "SUCCESS", orchestrator.log(run_id)[-10:]
    assert orchestrator.remembered(run_id) == "PASS"


def test_a_run_is_a_pod_from_its_launch_to_its_verdict_in_the_history(
    orchestrator: Orchestrator,
) -> None:
    run_id = orchestrator.launch("waiting")

    pod = orchestrator.wait_for_test(run_id)

    assert orchestrator.run_pod(run_id) is not None
    orchestrator.let_it_pass(pod)
    pass_of(orchestrator, run_id)
    assert 'tests="3"' in orchestrator.result("waiting/junit.xml")
    assert run_id in orchestrator.result("waiting/report.html")
    assert f"{run_id}/" in orchestrator.result("waiting/runs/")


@pytest.mark.thorough
def test_a_run_does_not_notice_that_webserver_daemon_and_code_location_are_replaced(
    orchestrator: Orchestrator,
) -> None:
    run_id = orchestrator.launch("waiting")
    pod = orchestrator.wait_for_test(run_id)

    orchestrator.delete_pods("webserver", "daemon", "code")

    orchestrator.let_it_pass(pod)
    pass_of(orchestrator, run_id)
    # The queue works as before.
    again = orchestrator.launch("waiting")
    orchestrator.let_it_pass(orchestrator.wait_for_test(again))
    pass_of(orchestrator, again)


def test_a_run_whose_pod_is_killed_is_resumed_with_the_same_test_job(
    orchestrator: Orchestrator,
) -> None:
    run_id = orchestrator.launch("waiting")
    test_pod = orchestrator.wait_for_test(run_id)
    run_pod = orchestrator.run_pod(run_id)
    assert run_pod is not None

    orchestrator.kubectl("delete", "pod", run_pod, "--grace-period", "0", "--force")

    orchestrator.wait(
        "another pod has resumed the run",
        lambda: orchestrator.run_pod(run_id) not in {None, run_pod},
        timeout_seconds=90,
    )
    assert orchestrator.test_pod(run_id) == test_pod
    orchestrator.let_it_pass(test_pod)
    pass_of(orchestrator, run_id)
    # One attempt: the test that was running is the one that was judged.
    assert orchestrator.attempts(run_id) == 1


def test_a_run_outlasts_a_restart_of_its_database(orchestrator: Orchestrator) -> None:
    run_id = orchestrator.launch("waiting")
    pod = orchestrator.wait_for_test(run_id)

    orchestrator.delete_pods("postgres")

    orchestrator.let_it_pass(pod)
    pass_of(orchestrator, run_id)


def test_terminate_in_the_ui_ends_a_run_and_its_test_pod_without_a_right_of_the_webserver(
    orchestrator: Orchestrator,
) -> None:
    run_id = orchestrator.launch("waiting")
    orchestrator.wait_for_test(run_id)
    selector = "app.kubernetes.io/component=webserver"
    for webserver in orchestrator.pods(selector).values():
        volumes = [volume["name"] for volume in webserver["spec"]["volumes"]]
        assert not [name for name in volumes if name.startswith("kube-api-access")]

    orchestrator.terminate(run_id)

    assert orchestrator.wait_until_over(run_id, timeout_seconds=90) == "CANCELED"
    assert orchestrator.remembered(run_id) == "CANCELLED"


def test_a_run_with_a_namespace_of_its_own_makes_it_with_the_rights_that_it_gives_itself(
    orchestrator: Orchestrator,
) -> None:
    run_id = orchestrator.launch("alone")
    namespace: list[str] = []

    def has_namespace() -> bool:
        found = orchestrator.kube.list("Namespace", label_selector="floe-tests/tier=alone")
        namespace.extend(str(each["metadata"]["name"]) for each in found)
        return bool(namespace)

    orchestrator.wait("the run has its namespace", has_namespace, timeout_seconds=90)
    pod = orchestrator.wait_for_test(run_id, namespace=namespace[0])

    made = orchestrator.kube.get("Namespace", namespace[0]) or {}
    assert made["metadata"]["labels"]["floe-tests/created-by"] == f"{NAMESPACE}.floe-tests-run"
    orchestrator.let_it_pass(pod, namespace=namespace[0])
    pass_of(orchestrator, run_id)


def test_the_platforms_namespace_is_still_there(orchestrator: Orchestrator) -> None:
    assert orchestrator.kube.get("Namespace", PLATFORM) is not None
