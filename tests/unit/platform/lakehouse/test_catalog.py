"""A catalog over HTTP that breaks: what is asked again, what is final, what became of a commit."""

from __future__ import annotations

import logging
import re
import time

import pytest
from floe_platform.lakehouse import catalog, pipeline, tables
from floe_platform.lakehouse.errors import CatalogError, ConflictError
from floe_platform.lakehouse.settings import CatalogSettings

from .conftest import LOG
from .rest_catalog import Fault, RestServer

TABLE = "/tables/orders"


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


def connect(server: RestServer, *, deadline_seconds: float = 5) -> catalog.Lakehouse:
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
    rest_server.faults += [Fault("GET", TABLE), Fault("POST", "/namespaces", when="after")]

    with caplog.at_level(logging.WARNING):
        written = ingest(connect(rest_server))

    assert written.attempts == 1
    assert rest_server.faults == []
    assert caplog.text.count(f"open the catalog {rest_server.uri}: ") == 2
    assert "load bronze.orders: UncheckedSQLException: stale; asking again in 0.2 s" in caplog.text
    assert "create bronze.orders: UncheckedSQLException: lost; asking again" in caplog.text


def test_an_error_that_lasts_is_told_at_the_deadline(rest_server: RestServer) -> None:
    rest_server.faults += [Fault("GET", "/config") for _ in range(50)]
    started = time.monotonic()

    with pytest.raises(CatalogError) as caught:
        connect(rest_server, deadline_seconds=1)

    message = str(caught.value)
    assert 0.5 < time.monotonic() - started < 1.5
    assert re.match(r"could not open the catalog http://\S+: the catalog failed 3 times", message)
    assert "ServerError: UncheckedSQLException: stale" in message
    assert "Look at the pods `catalog` and `postgres`" in message


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
    rest_server.faults.append(Fault("POST", TABLE, when="after"))

    written = ingest(lakehouse)

    assert written.attempts == 1
    assert snapshots(lakehouse) == [written.snapshot_id]


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
    monkeypatch.setattr("floe_platform.lakehouse.commits._pause_seconds", lambda _: 0.0)
    lakehouse = connect(rest_server)
    rest_server.faults += [Fault("POST", TABLE, status=409) for _ in range(12)]

    with pytest.raises(ConflictError, match=r"^12 commits to bronze\.orders did not succeed"):
        ingest(lakehouse)

    assert snapshots(lakehouse) == []
