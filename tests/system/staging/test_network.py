"""The chart's policies on a network that enforces them."""

from __future__ import annotations

import pytest

from floe_tests.kube.objects import JsonObject

from ..kind_clusters import enforcing_node_image  # noqa: TID252 - suites are folders, not packages
from .conftest import stand_in
from .orchestrator import NAMESPACE, PLATFORM, Orchestrator

pytestmark = pytest.mark.skipif(
    enforcing_node_image() is None,
    reason="no node image with a network that enforces policies: airgap/run node --cilium",
)

_ASK = """
import socket, sys
from concurrent.futures import ThreadPoolExecutor

def ask(address):
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError as error:
        return f"{address} {error}"
    return f"{address} reached"

with ThreadPoolExecutor() as pool:
    print(*pool.map(ask, sys.argv[1:]), sep=chr(10))
"""
WEBSERVER, CODE, POSTGRES, API = (
    f"dagster-webserver.{NAMESPACE}:80",
    f"dagster-code.{NAMESPACE}:4000",
    f"postgres.{NAMESPACE}:5432",
    "kubernetes.default:443",
)
ALL = (WEBSERVER, CODE, POSTGRES, API)


def reached(orchestrator: Orchestrator, pod: str, *, namespace: str = NAMESPACE) -> set[str]:
    """Return what a pod reaches of all there is."""
    inside = ("exec", pod, "--namespace", namespace, "--", "python", "-c", _ASK, *ALL)
    lines = orchestrator.kubectl(*inside).splitlines()
    assert len(lines) == len(ALL)
    return {
        address for address, _, end in (line.partition(" ") for line in lines) if end == "reached"
    }


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

    # A pod always reaches itself, through its own Service too.
    own = {"webserver": WEBSERVER, "code": CODE}.get(component)
    assert reached(orchestrator, pod) - {own} == needs


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
