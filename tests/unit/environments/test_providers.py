"""Providers of clusters that nothing in the package knows, registered by name."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

import floe_tests
from floe_tests.cleanup.plan import Scope
from floe_tests.cleanup.reaper import plan, reap
from floe_tests.config import providers
from floe_tests.config.providers import Capabilities, EnvironmentSettings, TierOfProvider
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.core.process_identity import Holder
from floe_tests.doctor.cluster import reach
from floe_tests.environments.environment import Environment
from floe_tests.environments.existing_cluster import ExistingClusterEnvironment
from floe_tests.environments.installed import InstalledEnvironment
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.leasing import environment_of
from floe_tests.environments.processes import ProcessEnvironment
from floe_tests.environments.provider import CreatedClusters, FoundCluster, Provider, provider_of
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from tests.support.kube_api import Api

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
NOW = datetime.now(UTC)
OWNER = Owner(RUN, "harbour", "main", "72c65fc", NOW - timedelta(hours=6))
DEAD = replace(Holder.this_process(), start_ticks=1)
NAMESPACES = "/api/v1/namespaces"
PACKAGE = Path(floe_tests.__file__).parent


class DockSettings(EnvironmentSettings):
    """Where the cluster is."""

    kubeconfig: str = ""


class DockProvider(Provider):
    """A cluster that is there before a run, as a cloud's is."""

    name = "dock"
    description = "on a cluster at the dock"
    capabilities = Capabilities(can_have_installed=True)
    settings = DockSettings

    def access(self, tier: TierOfProvider) -> ClusterAccess:
        return ClusterAccess(tier.settings_of(self.name, DockSettings).kubeconfig)

    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        return ExistingClusterEnvironment(self, ledger=ledger, log=log)


@dataclass
class Rafts(CreatedClusters[FoundCluster]):
    """Clusters of this machine, in memory."""

    access: ClusterAccess
    afloat: dict[str, FoundCluster] = field(default_factory=dict[str, FoundCluster])
    forgotten: list[set[str]] = field(default_factory=list[set[str]])
    unseen: str = ""
    place: str = "the lake"

    def why_unseen(self) -> str:
        return self.unseen

    def find(self, *, deadline: Deadline) -> tuple[FoundCluster, ...]:
        del deadline
        return tuple(self.afloat.values())

    def connect(self, cluster: FoundCluster, *, deadline: Deadline) -> Kube:
        del cluster, deadline
        return Kube(self.access)

    def creator_of(
        self,
        cluster: FoundCluster,
        *,
        leases: Mapping[str, Lease],
        marked: Collection[str],
        problem: Callable[[str], None],
    ) -> tuple[str | None, str]:
        del leases, marked, problem
        return (cluster.labels or {}).get(labels.RUN), ""

    @contextlib.contextmanager
    def locked(self, name: str, *, timeout_seconds: float) -> Iterator[None]:
        del name, timeout_seconds
        yield

    def delete(self, name: str, *, deadline: Deadline, log: Log) -> None:
        del deadline, log
        del self.afloat[name]

    def deletion(self, name: str) -> str:
        return f"sink {name}"

    def forget_absent(self, there: Collection[str], *, begun: Collection[str]) -> None:
        del begun
        self.forgotten.append(set(there))


class RaftProvider(Provider):
    """A provider whose runs create clusters."""

    name = "raft"
    description = "on a raft"
    capabilities = Capabilities(creates_clusters=True, has_own_clock=False)
    rafts: ClassVar[Rafts]

    def created_clusters(self, ledger: Ledger) -> Rafts:
        del ledger
        return self.rafts

    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        raise NotImplementedError


@pytest.fixture
def dock() -> Iterator[DockProvider]:
    provider = DockProvider()
    providers.register(provider)
    yield provider
    providers.unregister("dock")


@pytest.fixture
def rafts(api: Api) -> Iterator[Rafts]:
    provider = RaftProvider()
    RaftProvider.rafts = Rafts(api.access)
    providers.register(provider)
    yield RaftProvider.rafts
    providers.unregister("raft")


@pytest.fixture(params=providers.environment_names())
def each(request: pytest.FixtureRequest) -> Provider:
    """Each provider of this package, and of others that are installed."""
    return provider_of(request.param)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("PATH", str(tmp_path))  # without docker and kind
    return Ledger(tmp_path / "runs")


def tier(api: Api, **changes: Any) -> TierSettings:
    on_dock = {"environments": ["dock"], "dock": {"kubeconfig": api.access.kubeconfig}}
    return TierSettings.model_validate(
        {
            "name": "harbour",
            "description": "x",
            **({} if "environments" in changes else on_dock),
            "suites": [{"name": "one", "job": "a.yaml"}],
            **changes,
        }
    )


def lease(**changes: Any) -> Lease:
    values = {"namespace": f"floe-test-{RUN[:8]}", "keep": "never", "release_seconds": 60}
    return Lease(**{"owner": OWNER, "state": "held", "holder": DEAD, **values, **changes})


def has_namespace(api: Api) -> None:
    metadata = {
        "name": f"floe-test-{RUN[:8]}",
        "uid": "uid-1",
        "creationTimestamp": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "labels": OWNER.labels(),
        "annotations": {labels.CREATED_UID_ANNOTATION: "uid-1"},
    }
    found = {"items": [{"metadata": metadata}], "metadata": {"resourceVersion": "7"}}
    api.script.answers["GET", NAMESPACES] = (200, found)


def test_settings_of_a_tier_are_read_by_the_providers_own_model(api: Api, dock: DockProvider):
    settings = tier(api)

    assert dock.access(settings) == ClusterAccess(api.access.kubeconfig)
    assert "dock" in TierSettings.model_json_schema()["properties"]
    with pytest.raises(ValueError, match=r"dock\.depth\n.*There are: kubeconfig"):
        tier(api, dock={"depth": 3})


def test_a_tier_on_it_may_use_an_installed_platform(api: Api, dock: DockProvider, ledger: Ledger):
    settings = tier(api, installed={"release": "floe", "namespace": "floe-staging"})

    assert settings.cluster_name == "floe-staging"
    environment = environment_of(dock.name, ledger=ledger, log=print, installed=True)
    assert isinstance(environment, InstalledEnvironment)


def test_one_that_creates_clusters_has_no_room_for_an_installed_platform(api: Api, rafts: Rafts):
    del rafts
    with pytest.raises(ValueError, match=r"environments: raft: .* Write \[context\]"):
        tier(
            api,
            environments=["raft"],
            installed={"release": "floe", "namespace": "floe-staging"},
        )


def test_doctor_reaches_its_cluster(api: Api, dock: DockProvider):
    api.script.answers["GET", "/version"] = (200, {"gitVersion": "v1.34.2"})

    reached = reach(tier(api), dock)

    assert [(one.state, one.found) for one in reached.checks] == [
        ("ok", "answers, Kubernetes v1.34.2")
    ]


def test_the_reaper_looks_where_a_dead_run_on_it_had_its_namespace(
    api: Api, dock: DockProvider, ledger: Ledger
):
    has_namespace(api)
    ledger.write(RUN, ENTRY, lease(provider=dock.name, access=api.access, namespace_uid="uid-1"))

    found = plan(Scope(ledger))

    assert [(item.what, item.word) for item in found.removable] == [("namespace", "over")]


def test_the_reaper_deletes_a_cluster_that_a_dead_run_created(
    api: Api, rafts: Rafts, ledger: Ledger
):
    api.script.answers["GET", NAMESPACES] = (200, {"items": [], "metadata": {}})
    api.script.answers["GET", "/api/v1/nodes"] = (200, {"items": [], "metadata": {}})
    rafts.afloat["log"] = FoundCluster("log", NOW, OWNER.labels())
    rafts.afloat["stranger"] = FoundCluster("stranger", NOW, {})
    ledger.write(RUN, ENTRY, lease(provider="raft", cluster="log", cluster_id=RUN))

    listed = plan(Scope(ledger))
    done = reap(Scope(ledger), log=print, seconds=30)

    (item,) = listed.removable
    assert (item.what, item.name, item.place, item.command) == (
        *("cluster", "log"),
        *("the lake", "sink log"),
    )
    assert done.remaining == ()
    assert list(rafts.afloat) == ["stranger"]
    assert rafts.forgotten == [{"stranger"}]


def test_clusters_that_cannot_be_looked_for_are_a_problem_if_a_dead_run_had_one(
    rafts: Rafts, ledger: Ledger
):
    rafts.unseen = "there is fog"
    ledger.write(RUN, ENTRY, lease(provider="raft", cluster="log", cluster_id=RUN))

    (problem,) = plan(Scope(ledger)).problems

    assert problem.startswith("raft cluster log cannot be looked into: there is fog")


def test_a_provider_finds_created_clusters_if_it_says_that_runs_create_some(
    each: Provider, ledger: Ledger
):
    """The reaper asks the capability first, and then the method."""
    assert each.capabilities.creates_clusters == (each.created_clusters(ledger) is not None)


def test_every_setting_of_a_provider_has_a_default_and_a_meaning(each: Provider):
    """A tier that names an environment without settings of it gets the defaults."""
    fields = each.settings.model_fields if each.settings else {}

    assert [name for name, field in fields.items() if field.is_required()] == []
    assert [name for name, field in fields.items() if not field.description] == []


def test_an_environment_that_cannot_give_back_what_it_took_is_refused(ledger: Ledger):
    """Or a run would find that out when it ends."""

    class Whirlpool(ProcessEnvironment):
        release = Environment.release

    with pytest.raises(TypeError, match="release"):
        Whirlpool(ledger=ledger, log=print)  # pyright: ignore[reportAbstractUsage] - what is tested


def test_a_name_that_nobody_provides_is_an_error_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"'moon' is no environment.*local, kind, context"):
        provider_of("moon")


def test_nothing_but_the_registry_and_the_folders_knows_a_provider_by_its_name():
    """Whoever adds one would have to find each of those places."""
    names = set(providers.environment_names())
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[:2] != ("environments", "providers")
        for node in ast.walk(ast.parse(path.read_text()))
        if names & set(compared_with(node))
    ]

    assert found == []


def compared_with(node: ast.AST) -> Iterator[object]:
    """Return the literals that a piece of code compares something with."""
    operands: list[ast.expr] = []
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
    elif isinstance(node, ast.MatchValue):
        operands = [node.value]
    for each in operands:
        group = each.elts if isinstance(each, ast.Tuple | ast.Set | ast.List) else [each]
        yield from (item.value for item in group if isinstance(item, ast.Constant))
