"""Fixtures of the lakehouse's tests: real Iceberg tables on a folder, and Postgres where it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_platform.lakehouse.catalog import Lakehouse
from pyiceberg.catalog.sql import SqlCatalog

from . import postgres
from .rest_catalog import RestServer, serve

if TYPE_CHECKING:
    from floe_platform.lakehouse.settings import ServingSettings
    from pyiceberg.table import Table

LOG = logging.getLogger("tests.lakehouse")


class Interrupted:
    """A catalog on which something happens once, right after a table was loaded."""

    def __init__(self, catalog: SqlCatalog, table: tuple[str, str], then: Callable[[], object]):
        self._catalog = catalog
        self._table = table
        self._then: Callable[[], object] | None = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def load_table(self, identifier: tuple[str, str]) -> Table:
        loaded = self._catalog.load_table(identifier)
        if identifier == self._table and self._then is not None:
            then, self._then = self._then, None
            then()
        return loaded


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog that two connections of SQLite share, as a server's clients would."""
    opened = SqlCatalog(
        "floe", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse"
    )
    yield opened
    opened.close()


@pytest.fixture
def lakehouse(catalog: SqlCatalog) -> Lakehouse:
    return Lakehouse(catalog, LOG, {"floe.run-id": "of-a-test"}, deadline_seconds=2)


@pytest.fixture
def rest_server(catalog: SqlCatalog) -> Iterator[RestServer]:
    with serve(catalog) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[ServingSettings]:
    with postgres.started() as settings:
        yield settings


@pytest.fixture
def serving_settings(postgres_server: ServingSettings) -> ServingSettings:
    """The serving database, empty before each test."""
    with postgres.connection(postgres_server) as opened:
        opened.cursor().execute("DROP SCHEMA IF EXISTS gold CASCADE")
        opened.commit()
    return postgres_server


@pytest.fixture
def environment(rest_server: RestServer, serving_settings: ServingSettings) -> dict[str, str]:
    """What the chart gives the code location, for the services of these tests."""
    return {
        "FLOE_CATALOG_KIND": "iceberg-rest",
        "FLOE_CATALOG_URI": rest_server.uri,
        "FLOE_CATALOG_WAREHOUSE": "file:///unused",
        "FLOE_CATALOG_SCOPE": "",
        "FLOE_S3_ENDPOINT": "http://127.0.0.1:9",
        "FLOE_S3_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "never-to-be-seen-91c2",
        "FLOE_SERVING_HOST": serving_settings.host,
        "FLOE_SERVING_PORT": str(serving_settings.port),
        "FLOE_SERVING_DB": serving_settings.database,
        "FLOE_SERVING_USER": serving_settings.user,
        "FLOE_SERVING_PASSWORD": serving_settings.password,
    }


def rows_of(table: Table) -> list[dict[str, Any]]:
    return table.scan().to_arrow().to_pylist()
