"""The reaper in clusters: what it may touch there, by labels, notes and who else uses them.

The API is a scripted server; docker and kind are scripts that know one cluster.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from floe_tests.cleanup.plan import Scope
from floe_tests.cleanup.reaper import plan, reap
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.leasing import give_back
from floe_tests.environments.providers.kind.environment import KindEnvironment
from floe_tests.environments.providers.kind.notes import CREATED, CreatedCluster

if TYPE_CHECKING:
    from tests.support.kube_api import Api

NAMESPACES, NODES = "/api/v1/namespaces", "/api/v1/nodes"
NOW = datetime.now(UTC).replace(microsecond=0)
# By more than any step of this machine's clock, which is that of a kind cluster too.
EARLIER, LATER = NOW - timedelta(hours=3), NOW + timedelta(hours=1)
ALIVE = Holder.this_process()
DEAD = replace(ALIVE, start_ticks=1)
RUN = str(uuid4())
NODE = "3f1d2c"

TIER = TierSettings.model_validate(
    {
        "name": "integration",
        "description": "x",
        "environments": ["kind"],
        "kind": {"cluster": "floe-x"},
        "suites": [{"name": "one", "job": "a.yaml"}],
    }
)
WORKSPACE = Workspace(root=Path(), output=Path(), home=Path(), history_url="")

DOCKER = """#!/bin/sh
case "$1" in
ps) cat "$MACHINE/containers" ;;
cp) exec cat "$MACHINE/configuration" ;;
esac
"""
KIND = """#!/bin/sh
case "$1 $2" in
"get clusters") echo floe-x ;;
"get kubeconfig") exec cat "$MACHINE/kubeconfig" ;;
"delete cluster") echo "$*" >> "$MACHINE/deleted"; : > "$MACHINE/containers" ;;
esac
"""


class Machine:
    """A machine with the kind cluster `floe-x`."""

    def __init__(self, folder: Path, api: Api) -> None:
        self.folder = folder
        self.api = api
        self.ledger = Ledger(folder / "runs")
        self.namespaces()
        self.nodes({})

    def kind_cluster(
        self, *, configured: dict[str, str] | None, created_at: datetime = NOW
    ) -> None:
        """Have a cluster.

        Args:
            configured: The labels in its configuration; None before that is written.
            created_at: When its container was created.
        """
        time = created_at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
        line = f"floe-x\tcontrol-plane\tfloe-x-control-plane\t{time}\t{NODE}\n"
        (self.folder / "containers").write_text(line)
        if configured is not None:
            text = ",".join(f"{name}={value}" for name, value in configured.items())
            (self.folder / "configuration").write_text(f"node-labels: {text}\n")

    def answers(self) -> None:
        """Let its API answer."""
        access = self.api.access.kubeconfig
        assert access is not None
        (self.folder / "kubeconfig").write_text(Path(access).read_text())

    def namespaces(self, *found: dict[str, Any]) -> None:
        self._list(NAMESPACES, *found)
        for item in found:
            self.api.script.answers["GET", f"{NAMESPACES}/{item['metadata']['name']}"] = (200, item)

    def nodes(self, found: dict[str, str], *, marked: str | None = None) -> None:
        """Have a node with labels, and with its creator's mark or another's."""
        annotations = {} if marked is None else {labels.CREATED_UID_ANNOTATION: marked}
        metadata = {"name": "floe-x-control-plane", "uid": "uid-of-node", "labels": found}
        self._list(NODES, {"metadata": {**metadata, "annotations": annotations}})

    def lease(self, run_id: str, holder: Holder, **changes: Any) -> None:
        lease = Lease(
            **{
                "provider": "kind",
                "owner": owner(run_id, LATER),
                "namespace": f"floe-test-{run_id[:8]}",
                "keep": "never",
                "release_seconds": 60,
                "state": "held",
                "holder": holder,
                "cluster": "floe-x",
                "cluster_id": run_id,
                **changes,
            }
        )
        self.ledger.write(run_id, ENTRY, lease)

    def note(self, run_id: str, created_at: datetime = NOW, node_id: str = "") -> None:
        self.ledger.write(CREATED, "floe-x", CreatedCluster(run_id, created_at, node_id))

    def reap(self, **scope: Any) -> tuple[list[str], list[str]]:
        """Reap; give what is gone and what stays, as `what word` each."""
        done = reap(Scope(self.ledger, **scope), log=print, seconds=30)
        assert done.problems == ()
        return (
            [f"{item.what} {item.word}" for item in done.removed],
            [f"{item.what} {item.word}" for item in done.staying],
        )

    @property
    def deleted(self) -> bool:
        return (self.folder / "deleted").exists()

    def _list(self, path: str, *found: dict[str, Any]) -> None:
        answer = {"items": list(found), "metadata": {"resourceVersion": "7"}}
        self.api.script.answers["GET", path] = (200, answer)


@pytest.fixture
def machine(tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> Machine:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in {"docker": DOCKER, "kind": KIND}.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "containers").touch()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MACHINE", str(folder))
    return Machine(folder, api)


def owner(run_id: str, expires_at: datetime) -> Owner:
    return Owner(run_id, "integration", "main", "72c65fc", expires_at)


def marks(run_id: str, expires_at: datetime) -> dict[str, str]:
    return owner(run_id, expires_at).labels()


def namespace(
    run_id: str,
    expires_at: datetime = LATER,
    *,
    name: str | None = None,
    uid: str | None = None,
    marked: str | None = "its own",
    more: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A namespace as its creator left it; `marked` with another's UID for a copy, None for none."""
    uid = uid or f"uid-of-{run_id}"
    annotations = {labels.CREATED_UID_ANNOTATION: uid if marked == "its own" else marked}
    return {
        "metadata": {
            "name": name or f"floe-test-{run_id[:8]}",
            "uid": uid,
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-24T08:00:00Z",
            "labels": {**marks(run_id, expires_at), **(more or {})},
            "annotations": annotations if marked else {},
        }
    }


def test_a_killed_runs_cluster_goes_with_its_credentials_and_its_note(machine: Machine):
    machine.lease(RUN, DEAD)
    machine.note(RUN)
    machine.kind_cluster(configured=marks(RUN, LATER))
    machine.answers()
    machine.namespaces(namespace(RUN))
    kubeconfig = machine.ledger.folder(RUN) / "kubeconfig"
    kubeconfig.touch()

    gone, stays = machine.reap()

    assert (gone, stays) == (["cluster over", "lease over"], [])
    assert machine.deleted
    assert not kubeconfig.exists()
    assert machine.ledger.read(CREATED, "floe-x", CreatedCluster) is None


def test_half_a_cluster_goes_by_what_its_configuration_says(machine: Machine):
    machine.lease(RUN, DEAD, state="acquiring")
    machine.kind_cluster(configured=marks(RUN, LATER))

    assert machine.reap() == (["cluster over", "lease over"], [])


def test_before_its_configuration_is_written_the_note_says_whose_it_is(machine: Machine):
    machine.lease(RUN, DEAD, state="acquiring")
    machine.note(RUN, NOW - timedelta(milliseconds=300))
    machine.kind_cluster(configured=None)

    assert machine.reap() == (["cluster over", "lease over"], [])


@pytest.mark.parametrize(
    ("configured", "created_at"),
    [
        pytest.param({}, NOW, id="its configuration names no run"),
        pytest.param(None, NOW - timedelta(minutes=1), id="it was there before the note"),
        pytest.param(None, NOW + timedelta(hours=1), id="it came long after the note"),
    ],
)
def test_a_cluster_made_by_hand_stays_although_a_killed_runs_note_names_it(
    machine: Machine, configured: dict[str, str] | None, created_at: datetime
):
    """The run was killed before Docker was asked, and somebody made a cluster of that name."""
    machine.lease(RUN, DEAD, state="released")
    machine.note(RUN)
    machine.kind_cluster(configured=configured, created_at=created_at)
    machine.answers()

    assert machine.reap() == ([], [])
    assert not machine.deleted


def test_a_cluster_that_a_live_run_shares_stays_and_the_killed_runs_namespace_goes(
    machine: Machine,
):
    other = str(uuid4())
    machine.lease(RUN, DEAD)
    machine.lease(other, ALIVE)
    machine.kind_cluster(configured=marks(RUN, LATER))
    machine.answers()
    machine.namespaces(namespace(RUN), namespace(other))

    found = plan(Scope(machine.ledger))

    assert [(item.what, item.run_id) for item in found.removable] == [("namespace", RUN)]
    (cluster,) = [item for item in found.staying if item.what == "cluster"]
    assert f"run {other[:8]} uses it" in cluster.reason


@pytest.mark.parametrize("state", ["acquiring", "held", "kept"])
def test_a_cluster_stays_for_a_run_that_has_no_namespace_there_yet(machine: Machine, state: str):
    machine.lease(RUN, DEAD)
    machine.lease(str(uuid4()), ALIVE, state=state)
    machine.kind_cluster(configured=marks(RUN, LATER))
    machine.answers()

    assert machine.reap() == (["lease over"], ["cluster live"])
    assert not machine.deleted


@pytest.mark.parametrize("expires_at", [EARLIER, LATER], ids=["expired", "not expired"])
def test_another_ledgers_cluster_goes_by_its_creators_mark_and_its_expiry(
    machine: Machine, expires_at: datetime
):
    machine.kind_cluster(configured=marks(RUN, EARLIER))
    machine.nodes(marks(RUN, expires_at), marked="uid-of-node")
    machine.answers()

    gone, stays = machine.reap()

    expired = (["cluster expired"], [])
    assert (gone, stays) == (expired if expires_at is EARLIER else ([], ["cluster live"]))
    assert machine.deleted is (expires_at is EARLIER)


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param(None, id="labels alone, as in a copied configuration"),
        pytest.param("uid-of-another-node", id="the mark of another node"),
    ],
)
@pytest.mark.parametrize("answers", [True, False], ids=["its API answers", "its API is silent"])
def test_a_cluster_that_nothing_proves_to_be_a_runs_is_listed_and_stays(
    machine: Machine,
    marked: str | None,
    answers: bool,  # noqa: FBT001 - the row
):
    machine.kind_cluster(configured=marks(RUN, EARLIER))
    machine.nodes(marks(RUN, EARLIER), marked=marked)
    if answers:
        machine.answers()

    found = plan(Scope(machine.ledger))

    assert (machine.reap(), machine.deleted) == (([], ["cluster unproved"]), False)
    (cluster,) = found.staying
    assert cluster.command == "kind delete cluster --name floe-x"
    assert "neither this ledger nor a mark on its nodes" in cluster.reason


@pytest.mark.parametrize("configured", [marks(RUN, LATER), None], ids=["configured", "not yet"])
def test_a_cluster_made_anew_under_the_name_of_a_runs_is_not_the_runs(
    machine: Machine, configured: dict[str, str] | None
):
    """The note has the container that the run made; this one is another."""
    machine.lease(RUN, DEAD, state="released")
    machine.note(RUN, node_id="the-container-of-then")
    machine.kind_cluster(configured=configured)
    machine.answers()

    machine.reap()

    assert not machine.deleted


def test_a_namespace_of_an_expired_user_in_somebody_elses_cluster_goes_alone(machine: Machine):
    machine.kind_cluster(configured={})
    machine.answers()
    machine.namespaces(namespace(RUN, EARLIER))
    script = machine.api.script
    script.answers["DELETE", f"{NAMESPACES}/floe-test-{RUN[:8]}"] = (200, {})

    done = reap(Scope(machine.ledger), log=print, seconds=1)

    # The scripted namespace never goes: that is said, with what removes it by hand.
    (left,) = done.remaining
    assert "is still there 1 s after its deletion" in left.error
    assert left.item.command == (
        "docker exec floe-x-control-plane kubectl --kubeconfig /etc/kubernetes/admin.conf "
        f"delete namespace floe-test-{RUN[:8]}"
    )
    assert not machine.deleted


def test_only_namespaces_with_both_labels_are_asked_for(machine: Machine):
    machine.kind_cluster(configured={})
    machine.answers()

    plan(Scope(machine.ledger))

    asked = [item for item in machine.api.script.requests if item.path == NAMESPACES]
    assert [item.query["labelSelector"] for item in asked] == [
        "app.kubernetes.io/managed-by=floe-tests,floe-tests/run"
    ]


def deletions(machine: Machine) -> list[str]:
    return [item.path for item in machine.api.script.requests if item.method == "DELETE"]


NOT_OURS: dict[str, dict[str, Any]] = {
    "kube-system": {"name": "kube-system"},
    "default": {"name": "default"},
    "of a distribution": {"name": "openshift-monitoring"},
    "of the platform": {"name": "floe-staging"},
    "of the platform, named as a run's": {"name": f"floe-platform-{RUN[:8]}"},
    "a team's own": {"name": "team-checkout"},
    "a team's own, with a mark that was copied": {"name": "team-checkout", "marked": "of-a-run"},
    "a team's own, named as a run's": {"marked": None},
    "exported and applied under another name": {"name": "copy", "marked": "uid-of-the-original"},
    "exported and applied under the same name": {"marked": "uid-of-the-original"},
    "killed between creation and mark": {"marked": None},
}


@pytest.mark.parametrize("what", NOT_OURS)
@pytest.mark.parametrize("known", ["over", "expired", "released"])
def test_labels_and_an_old_date_alone_remove_nothing(machine: Machine, what: str, known: str):
    """Two labels and an old date on kube-system, or on a team's namespace, meant DELETE."""
    found = namespace(RUN, EARLIER, **NOT_OURS[what])
    if what in {"kube-system", "default", "of a distribution"} or what.startswith("of the"):
        own = found["metadata"]["uid"]  # not even a mark, or a name, helps there
        assert found["metadata"]["annotations"] == {labels.CREATED_UID_ANNOTATION: own}
    machine.namespaces(found)
    if known != "expired":
        state = "released" if known == "released" else "held"
        access = machine.api.access
        machine.lease(RUN, DEAD, provider="context", state=state, access=access, cluster=None)
    scope = Scope(
        machine.ledger,
        clusters=(machine.api.access,),
        protected=frozenset({"floe-staging", f"floe-platform-{RUN[:8]}"}),
    )

    done = reap(scope, log=print, seconds=5)

    assert deletions(machine) == []
    (stays,) = [item for item in done.staying if item.what == "namespace"]
    assert (stays.word, stays.name) == ("unproved", found["metadata"]["name"])
    is_protected = "system" in stays.reason or "platform" in stays.reason
    verb = "label" if is_protected else "delete"
    assert f" {verb} namespace {stays.name}" in stays.command


def test_a_namespace_of_a_killed_run_goes_by_its_mark_its_uid_and_as_it_was_read(machine: Machine):
    machine.namespaces(namespace(RUN, EARLIER))
    one = f"{NAMESPACES}/floe-test-{RUN[:8]}"
    machine.api.script.answers["DELETE", one] = (200, {})

    reap(Scope(machine.ledger, clusters=(machine.api.access,)), log=print, seconds=0.5)

    first, *later = [item for item in machine.api.script.requests if item.method == "DELETE"]
    uid = f"uid-of-{RUN}"
    assert first.body["preconditions"] == {"uid": uid, "resourceVersion": "7"}
    assert all(item.body["preconditions"]["uid"] == uid for item in later)


def test_one_that_the_ledger_knows_by_its_uid_goes_without_a_mark(machine: Machine):
    machine.namespaces(namespace(RUN, LATER, marked=None))
    access, uid = machine.api.access, f"uid-of-{RUN}"
    machine.lease(RUN, DEAD, provider="context", access=access, namespace_uid=uid)

    (found,) = plan(Scope(machine.ledger)).removable

    assert (found.what, found.word) == ("namespace", "over")


@pytest.mark.parametrize("hours", [-1, 0, 1], ids=["an hour behind", "right", "an hour ahead"])
@pytest.mark.parametrize(("minutes", "word"), [(-5, "expired"), (30, "live")])
def test_an_expiry_in_a_cluster_is_told_by_its_own_clock(
    machine: Machine,
    step_clock: Callable[[float], None],
    hours: int,
    minutes: int,
    word: str,
):
    """A machine an hour ahead took other machines' live runs for expired."""
    machine.namespaces(namespace(RUN, NOW + timedelta(minutes=minutes)))

    step_clock(hours)
    found = plan(Scope(machine.ledger, clusters=(machine.api.access,)))

    assert [item.word for item in (*found.removable, *found.staying)] == [word]


@pytest.mark.parametrize("hours", [-1, 1], ids=["an hour behind", "an hour ahead"])
def test_a_kind_cluster_has_the_clock_of_its_machine_and_is_left_two_hours_more(
    machine: Machine, step_clock: Callable[[float], None], hours: int
):
    machine.kind_cluster(configured=marks(RUN, NOW + timedelta(minutes=5)))
    machine.nodes(marks(RUN, NOW + timedelta(minutes=5)), marked="uid-of-node")
    machine.answers()
    machine.namespaces(namespace(RUN, NOW + timedelta(minutes=5)))

    step_clock(hours)

    assert machine.reap() == ([], ["cluster live", "namespace live"])
    assert not machine.deleted


@pytest.mark.parametrize("change", ["kept", "another of the name", "gone"])
def test_a_namespace_is_looked_at_again_before_it_goes(machine: Machine, change: str):
    machine.namespaces(namespace(RUN, EARLIER))
    name = f"floe-test-{RUN[:8]}"
    answer = {
        "kept": (200, namespace(RUN, LATER)),
        "another of the name": (200, namespace(str(uuid4()), EARLIER)),
        "gone": (404, {}),
    }[change]
    machine.api.script.answers["GET", f"{NAMESPACES}/{name}"] = answer

    reap(Scope(machine.ledger, clusters=(machine.api.access,)), log=print, seconds=1)

    assert [item for item in machine.api.script.requests if item.method == "DELETE"] == []


def test_a_cluster_reached_twice_is_listed_once(machine: Machine):
    machine.kind_cluster(configured={})
    machine.answers()
    machine.namespaces(namespace(RUN, EARLIER))

    found = plan(Scope(machine.ledger, clusters=(machine.api.access,)))

    assert len(found.removable) == 1


def test_what_dagster_says_counts_where_the_ledger_is_another(machine: Machine):
    ended, running, kept = (str(uuid4()) for _ in range(3))
    machine.namespaces(
        namespace(ended),
        namespace(running, EARLIER),
        namespace(kept, LATER, more={labels.KEPT: "true"}),
    )

    found = plan(
        Scope(
            machine.ledger,
            clusters=(machine.api.access,),
            run_state=lambda run: "live" if run == running else "over",
        )
    )

    assert [item.run_id for item in found.removable] == [ended]
    assert {item.run_id: item.word for item in found.staying} == {running: "hung", kept: "kept"}


@pytest.mark.parametrize("label", [RUN, "", str(uuid4())], ids=["its own", "none", "another's"])
def test_a_run_takes_a_cluster_for_one_of_ours_only_if_its_nodes_say_so(
    machine: Machine, label: str
):
    """With a note of a killed run alone, it deleted the cluster that somebody made by hand."""
    new = str(uuid4())
    machine.note(RUN)
    machine.answers()
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    found = {labels.RUN: label} if label else {}
    script = machine.api.script
    made = namespace(new, LATER)
    script.answers["PATCH", f"{NAMESPACES}/floe-test-{new[:8]}"] = (200, made)
    node = {"metadata": {"name": "n", "labels": found}, "status": ready}
    script.lists.append([node] if label == RUN else [])
    script.lists.append([{"metadata": {"name": "default"}}])
    script.lists[0] = [node]
    del script.answers["GET", NODES]
    script.answers["POST", NAMESPACES] = (201, made)
    script.answers["POST", f"{NAMESPACES}/floe-test-{new[:8]}/resourcequotas"] = (201, {})
    machine.lease(new, ALIVE, state="acquiring", cluster=None)
    lease = machine.ledger.read(new, ENTRY, Lease)
    assert lease is not None

    held = KindEnvironment(machine.ledger, print).acquire(lease, TIER, WORKSPACE)

    assert held.cluster_id == (RUN if label == RUN else None)
    note = machine.ledger.read(CREATED, "floe-x", CreatedCluster)
    assert (note is not None) is (label == RUN)
    asked = [item.query for item in script.requests if item.path == NODES]
    assert asked[-1]["labelSelector"] == f"{labels.RUN}={RUN}"


@pytest.mark.parametrize("created_by", [RUN, None], ids=["of ours", "somebody else's"])
def test_what_is_kept_is_labelled_so_and_nodes_only_of_a_cluster_of_ours(
    machine: Machine, created_by: str | None
):
    machine.nodes({labels.RUN: RUN})
    machine.lease(RUN, ALIVE, keep="always", access=machine.api.access, cluster_id=created_by)
    name = f"floe-test-{RUN[:8]}"
    script = machine.api.script
    for path in (f"{NAMESPACES}/{name}", f"{NODES}/floe-x-control-plane"):
        script.answers["PATCH", path] = (200, {})

    kept = give_back(machine.ledger, RUN, log=print)

    assert kept is not None
    wanted = {"metadata": {"labels": labels.kept_labels(kept.owner.expires_at)}}
    patched = {item.path: item.body for item in script.requests if item.method == "PATCH"}
    expected = {f"{NAMESPACES}/{name}": wanted}
    if created_by:
        expected[f"{NODES}/floe-x-control-plane"] = wanted
    assert patched == expected
    assert int(wanted["metadata"]["labels"][labels.EXPIRES]) > (NOW.timestamp() + 23 * 3600)


def test_a_note_outlives_its_run_until_docker_had_time_to_end_what_it_was_asked(machine: Machine):
    machine.lease(RUN, DEAD, state="acquiring")
    machine.note(RUN)

    assert machine.reap() == (["lease over"], [])
    assert machine.ledger.read(CREATED, "floe-x", CreatedCluster) is not None

    assert machine.reap() == ([], [])
    assert machine.ledger.read(CREATED, "floe-x", CreatedCluster) is None
