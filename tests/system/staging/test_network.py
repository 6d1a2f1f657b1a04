"""The chart's policies on a network that enforces them."""

from __future__ import annotations

import pytest

from floe_tests.kube import JsonObject

from ..kind_clusters import enforcing_node_image  # noqa: TID252 - suites are folders, not packages
from .conftest import stand_in
from .orchestrator import NAMESPACE, PLATFORM, Orchestrator

pytestmark = pytest.mark.skipif(
    enforcing_node_image() is None,
    reason="no node image with a network that enforces policies: airgap/run node --cilium",
)

_ASK = """
import socket, sys
for address in sys.argv[1:]:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print(address, "reached")
    except OSError:
        print(address, "not reached")
"""
WEBSERVER, CODE, POSTGRES, API = (
    f"dagster-webserver.{NAMESPACE}:80",
    f"dagster-code.{NAMESPACE}:4000",
    f"postgres.{NAMESPACE}:5432",
    "kubernetes.default:443",
)
ALL = (WEBSERVER, CODE, POSTGRES, API)


def reached(orchestrator: Orchestrator, pod: str, *, namespace: str = NAMESPACE) -> set[str]:
    """Give what a pod reaches of all there is."""
    inside = ("exec", pod, "--namespace", namespace, "--", "python", "-c", _ASK, *ALL)
    lines = orchestrator.kubectl(*inside).splitlines()
    assert len(lines) == len(ALL)
    return {line.split()[0] for line in lines if line.endswith(" reached") and " not " not in line}


@pytest.mark.parametrize(
    ("component", "needs"),
    [
        ("webserver", {CODE, POSTGRES}),
        ("daemon", {CODE, POSTGRES, API}),
        ("code", {POSTGRES, API}),
        ("reports", set[str]()),
    ],
)
def test_a_role_reaches_what_it_needs_and_nothing_else(
    orchestrator: Orchestrator, component: str, needs: set[str]
) -> None:
    (pod, *_) = orchestrator.pods(f"app.kubernetes.io/component={component}")

    assert reached(orchestrator, pod) == needs


def test_pods_of_the_platform_reach_nothing_of_the_orchestrator(orchestrator: Orchestrator) -> None:
    (pod,) = orchestrator.pods("app.kubernetes.io/instance=stand-in", namespace=PLATFORM)

    assert reached(orchestrator, pod, namespace=PLATFORM) == {API}


def test_a_foreign_pod_in_its_own_namespace_reaches_nothing_of_it(
    orchestrator: Orchestrator,
) -> None:
    foreign: JsonObject = stand_in()
    foreign["metadata"]["name"] = "foreign"
    orchestrator.kube.create(foreign, namespace=NAMESPACE)
    try:
        orchestrator.kubectl("rollout", "status", "deployment/foreign", "--timeout", "110s")

        assert reached(orchestrator, "deployment/foreign") == {API}
    finally:
        orchestrator.kube.delete("Deployment", "foreign", namespace=NAMESPACE)
