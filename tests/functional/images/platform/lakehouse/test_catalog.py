"""A catalog over HTTP that breaks: what is asked again, what is final, what became of a commit."""

from __future__ import annotations

import logging

import pytest
from floe_platform.lakehouse import catalog, pipeline, tables
from floe_platform.lakehouse.errors import CatalogError, ConflictError
from floe_platform.lakehouse.settings import CatalogSettings

from .conftest import LOG
from .rest_catalog import Fault, RestServer

TABLE = "/tables/orders"


class Clock:
    """Time that passes by sleeping alone."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def settings(uri: str) -> CatalogSettings:
    return CatalogSettings(
        kind="iceberg-rest",
        uri=uri,
        warehouse="file:///unused",
        s3_endpoint="http://127.0.0.1:9",
        s3_region="us-east-1",
        s3_access_key="somebody",
        s3_secret_key="never-to-be-seen-91c2",  # noqa: S106 - it is looked for below
    )


def connect(server: RestServer, *, deadline_seconds: float = 30) -> catalog.Lakehouse:
    return catalog.connect(settings(server.uri), log=LOG, deadline_seconds=deadline_seconds)


def ingest(lakehouse: catalog.Lakehouse) -> pipeline.Written:
    return pipeline.ingest(lakehouse, "a", rows=10, seed=1, dirty_every=0)


def snapshots(lakehouse: catalog.Lakehouse) -> list[int]:
    return [each.snapshot_id for each in tables.open_table(lakehouse, tables.BRONZE).snapshots()]


def test_a_server_error_is_asked_again_and_logged(
    rest_server: RestServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What happens to the first request after Postgres restarted."""
    rest_server.faults += [Fault("GET", "/config"), Fault("GET", "/config", status=503)]
    rest_server.faults += [Fault("GET", TABLE), Fault("POST", "/namespaces", when="all-the-same")]

    with caplog.at_level(logging.WARNING):
        written = ingest(connect(rest_server))

    assert written.attempts == 1
    assert rest_server.faults == []
    assert caplog.text.count(f"open the catalog {rest_server.uri}: ") == 2
    assert "load bronze.orders: UncheckedSQLException: stale; asking again in 0.2 s" in caplog.text
    assert "create bronze.orders: UncheckedSQLException: stale; asking again" in caplog.text


def test_an_error_that_lasts_is_told_at_the_deadline(
    rest_server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(catalog, "time", clock)
    rest_server.faults += [Fault("GET", "/config") for _ in range(50)]

    with pytest.raises(CatalogError) as caught:
        connect(rest_server, deadline_seconds=10)

    # After pauses of 0.2, 0.4, 0.8, 1.6, 3 and 3 seconds; one more would end too late.
    message = str(caught.value)
    assert clock.now == pytest.approx(9.0)
    assert message.startswith(
        f"could not open the catalog {rest_server.uri}: the catalog failed 7 times within 9 s, "
        "the last time with ServerError: UncheckedSQLException: stale. "
        "Look at the pods `catalog`, `postgres` and `object-storage`"
    )


def test_a_catalog_that_is_away_is_told_at_the_deadline() -> None:
    with pytest.raises(CatalogError, match=r"failed \d times .* ConnectionError") as caught:
        catalog.connect(settings("http://127.0.0.1:9"), log=LOG, deadline_seconds=0.5)

    assert "never-to-be-seen" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_final_at_once(rest_server: RestServer, status: int) -> None:
    rest_server.faults.append(Fault("GET", "/config", status=status))

    with pytest.raises(CatalogError, match="refuses this client"):
        connect(rest_server)

    assert rest_server.requests == ["GET /v1/config"]


def test_a_commit_whose_answer_was_lost_is_found_and_not_repeated(rest_server: RestServer) -> None:
    lakehouse = connect(rest_server)
    rest_server.faults.append(Fault("POST", TABLE, when="all-the-same"))

    written = ingest(lakehouse)

    assert written.attempts == 1
    assert snapshots(lakehouse) == [written.snapshot_id]


def test_a_commit_that_happens_after_all_is_not_made_twice(rest_server: RestServer) -> None:
    """The answer was lost, the commit was still under way when the second one was prepared."""
    lakehouse = connect(rest_server)
    rest_server.faults.append(Fault("POST", TABLE, when="late"))

    written = ingest(lakehouse)

    assert written.attempts == 1, "the first one is in the table"
    assert snapshots(lakehouse) == [written.snapshot_id]
    assert tables.open_table(lakehouse, tables.BRONZE).scan().count() == 10


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_commit_that_did_not_happen_is_made_again(rest_server: RestServer, status: int) -> None:
    lakehouse = connect(rest_server)
    rest_server.faults.append(Fault("POST", TABLE, status=status))

    written = ingest(lakehouse)

    assert written.attempts == 2
    assert snapshots(lakehouse) == [written.snapshot_id]


def test_a_table_that_others_write_without_pause_is_named(
    rest_server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("floe_platform.lakehouse.commits._LONGEST_PAUSE_SECONDS", 0.0)
    lakehouse = connect(rest_server)
    rest_server.faults += [Fault("POST", TABLE, status=409) for _ in range(12)]

    with pytest.raises(ConflictError, match=r"^12 commits to bronze\.orders did not succeed"):
        ingest(lakehouse)

    assert snapshots(lakehouse) == []
