"""The chart as a production cluster has it: Postgres and the bucket for backups are others'."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

from ..conftest import ROOT  # noqa: TID252 - suites are folders, not packages
from .conftest import (
    helm_test,
    make_namespaces,
    manifests_of,
    secret,
    self_signed,
    stand_in,
    tls_secret,
    upgrade,
    values,
)
from .orchestrator import Orchestrator
from .test_data import has_its_past

pytestmark = pytest.mark.thorough

SURROUNDINGS = "surroundings"
NAMESPACE = "floe-elsewhere"
PLATFORM = "floe-other"
LOGINS = {"DAGSTER_PASSWORD": "of-dagster", "HISTORY_PASSWORD": "of-history"}
KEPT = 2


def pods(app: str) -> dict[str, object]:
    """Return a peer of a NetworkPolicy: pods of the surroundings."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SURROUNDINGS}},
        "podSelector": {"matchLabels": {"app": app}},
    }


def chart_values() -> dict[str, object]:
    """Return the values: nothing in the release that the cluster's owners have already."""
    return values(
        PLATFORM,
        namespacePerRun={"enabled": False},
        postgres={
            "deploy": False,
            "host": f"postgres.{SURROUNDINGS}",
            "sslMode": "require",
            "dagster": {"existingSecret": {"name": "logins", "passwordKey": "dagster"}},
            "history": {"existingSecret": {"name": "logins", "passwordKey": "history"}},
        },
        backup={
            "keep": KEPT,
            "target": "s3",
            "s3": {
                "endpoint": f"http://bucket.{SURROUNDINGS}:7070",
                "bucket": "backups",
                "existingSecret": {"name": "bucket"},
            },
        },
        networkPolicy={
            "postgresTo": [pods("postgres")],
            "s3To": [pods("bucket")],
        },
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Certificate and key of the Postgres, signed by itself."""
    return self_signed(tmp_path_factory.mktemp("tls"), f"postgres.{SURROUNDINGS}")


@pytest.fixture(scope="module")
def elsewhere(staging_kubeconfig: Path, certificate: tuple[str, str]) -> Orchestrator:
    """The surroundings, and the chart in them."""
    kube = Kube(ClusterAccess(kubeconfig=str(staging_kubeconfig)))
    found = Orchestrator(staging_kubeconfig, kube, NAMESPACE, PLATFORM, SURROUNDINGS)
    make_namespaces(kube, SURROUNDINGS, NAMESPACE, PLATFORM)
    found.apply(tls_secret("tls", *certificate), namespace=SURROUNDINGS)
    found.apply(*manifests_of("surroundings.yaml"), namespace=SURROUNDINGS)
    for name in ("statefulset/postgres", "deployment/bucket"):
        found.kubectl("rollout", "status", name, "--namespace", SURROUNDINGS, "--timeout", "110s")
    make_databases(found)

    logins = {"dagster": LOGINS["DAGSTER_PASSWORD"], "history": LOGINS["HISTORY_PASSWORD"]}
    found.apply(secret("logins", **logins), namespace=NAMESPACE)
    keys = {"access-key": "backups", "secret-key": "of-the-bucket"}
    found.apply(secret("bucket", **keys), namespace=NAMESPACE)
    kube.create(stand_in(), namespace=PLATFORM)
    upgrade(staging_kubeconfig, namespace=NAMESPACE, chart_values=chart_values())
    helm_test(staging_kubeconfig, NAMESPACE)
    return found


def make_databases(orchestrator: Orchestrator) -> None:
    """Make them as the documentation says, by an account that is no superuser."""
    orchestrator.sql(
        "DO $$ BEGIN CREATE ROLE owner LOGIN CREATEDB CREATEROLE; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        database="postgres",
    )
    script = ROOT / "charts" / "floe-tests" / "files" / "postgres" / "databases.sh"
    variables = [f"{name}={value}" for name, value in {**LOGINS, "POSTGRES_USER": "owner"}.items()]
    inside = ("exec", "-i", "postgres-0", "--namespace", SURROUNDINGS, "--", "env", *variables)
    orchestrator.kubectl(*inside, "sh", "-s", stdin=script.read_text())


@pytest.fixture(scope="module")
def run_id(elsewhere: Orchestrator) -> str:
    """A run that went well here."""
    launched = elsewhere.launch("quick")
    assert elsewhere.wait_until_over(launched, timeout_seconds=180) == "SUCCESS", elsewhere.log(
        launched
    )
    return launched


def test_runs_end_in_a_postgres_of_others_over_tls(elsewhere: Orchestrator, run_id: str) -> None:
    has_its_past(elsewhere, run_id)
    in_use = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
    assert elsewhere.sql(f"{in_use} WHERE datname = 'dagster' AND client_addr IS NOT NULL") == "t"
    assert elsewhere.kube.list("StatefulSet", namespace=NAMESPACE) == []


def test_backups_are_in_the_bucket_and_come_back_out_of_it(
    elsewhere: Orchestrator, run_id: str
) -> None:
    for number in range(KEPT + 1):
        assert elsewhere.run_cron_job("floe-tests-backup", f"backup-{number}") == "Complete"
    said = elsewhere.kubectl("logs", f"job/backup-{KEPT}", "-c", "store")
    listing = ("exec", "deployment/bucket", "--namespace", SURROUNDINGS, "-c", "bucket", "--")
    files = elsewhere.kubectl(*listing, "find", "/data/backups/floe-tests", "-type", "f")
    assert len(said.partition("there are ")[2].split(", ")) == KEPT
    assert len(files.splitlines()) == 3 * KEPT, files

    elsewhere.stop_writers()
    for database in ("dagster", "history"):
        elsewhere.sql(f"DROP DATABASE {database} WITH (FORCE)", database="postgres")
    make_databases(elsewhere)
    assert elsewhere.sql("SELECT to_regclass('history_runs') IS NULL") == "t"
    said = elsewhere.run_cron_job("floe-tests-restore", "restore")
    assert said == "Complete", elsewhere.kubectl("logs", "job/restore", check=False)

    elsewhere.start_writers()
    has_its_past(elsewhere, run_id)
