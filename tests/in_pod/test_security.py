"""The test pod's own security context, as a process inside of it finds it.

The suite runs under what production pods run under, so what breaks there breaks here first.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster

pytestmark = pytest.mark.kubernetes

SECCOMP_FILTER = "2"  # as the kernel numbers it; 0 is none


@pytest.fixture(scope="module")
def process_status() -> dict[str, str]:
    """What the kernel says of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return dict(line.replace("\t", "").split(":", 1) for line in lines)


def test_process_runs_as_nobody_important() -> None:
    """Neither user nor any group is root."""
    ids = {os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()}
    assert 0 not in ids
    assert os.getuid() == 1000


def test_process_cannot_gain_privileges(process_status: dict[str, str]) -> None:
    """A set-uid program would stay what it was started as."""
    assert process_status["NoNewPrivs"] == "1"


def test_process_has_no_capabilities(process_status: dict[str, str]) -> None:
    """Not one, and none it could get back: inherited, permitted, effective, bounding, ambient."""
    sets = {name: int(bits, 16) for name, bits in process_status.items() if name.startswith("Cap")}
    assert sets == dict.fromkeys(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], 0)


def test_system_calls_are_filtered(process_status: dict[str, str]) -> None:
    """The runtime's default seccomp profile is in force."""
    assert process_status["Seccomp"] == SECCOMP_FILTER


def test_root_file_system_is_mounted_read_only() -> None:
    """The kernel's own list of mounts says so."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    # Fields 5 and 6: mount point and its options.
    options = {line.split()[4]: line.split()[5].split(",") for line in mounts}
    assert "ro" in options["/"]


@pytest.mark.parametrize(
    "directory",
    [
        pytest.param("/", id="root"),
        pytest.param("/etc", id="configuration"),
        pytest.param("/usr/local/bin", id="programs"),
        pytest.param(sys.prefix, id="python"),
        pytest.param(str(Path(__file__).parent), id="suite"),
    ],
)
def test_nothing_can_be_written_outside_of_the_volumes(directory: str) -> None:
    """Where programs and configuration lie, nobody can leave anything."""
    with pytest.raises(OSError, match="Read-only file system") as refusal:
        (Path(directory) / "written-by-a-test").touch()
    assert refusal.value.errno == errno.EROFS


@pytest.mark.parametrize("directory", ["/tmp", "/results"])  # noqa: S108 - the pod's own volumes
def test_volumes_can_be_written(directory: str, request: pytest.FixtureRequest) -> None:
    """The two places where a test may leave something."""
    path = Path(directory) / ".written-by-a-test"
    request.addfinalizer(lambda: path.unlink(missing_ok=True))
    path.write_text("here", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "here"


def test_pod_does_not_share_the_host_name_of_its_node() -> None:
    """A pod in the host's namespaces would have the node's name."""
    assert socket.gethostname() == os.environ["POD_NAME"]


def test_services_are_not_leaked_into_the_environment() -> None:
    """Names come from DNS; variables of every Service would tell what else runs here."""
    leaked = [name for name in os.environ if name.endswith("_SERVICE_HOST")]
    assert leaked == ["KUBERNETES_SERVICE_HOST"]


def test_own_manifest_asks_for_the_restricted_profile(cluster: Cluster) -> None:
    """What is in force above was asked for, and is not the node's kindness."""
    pod = cluster.pod(os.environ["POD_NAME"])
    assert pod.security_context["runAsNonRoot"] is True
    assert pod.security_context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod.containers:
        assert container.security_context["allowPrivilegeEscalation"] is False, container.name
        assert container.security_context["readOnlyRootFilesystem"] is True, container.name
        assert container.security_context["capabilities"]["drop"] == ["ALL"], container.name
