"""The settings of the lakehouse: all problems at once, and no secret in sight."""

from __future__ import annotations

import pytest
from floe_platform.lakehouse.errors import SettingsError
from floe_platform.lakehouse.settings import read_settings, switched_on

COMPLETE = {
    "FLOE_CATALOG_KIND": "iceberg-rest",
    "FLOE_CATALOG_URI": "http://polaris:8181/",
    "FLOE_CATALOG_WAREHOUSE": "s3://warehouse/",
    "FLOE_CATALOG_SCOPE": "",
    "FLOE_S3_ENDPOINT": "http://object-storage:7070",
    "FLOE_S3_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret-of-storage",
    "FLOE_SERVING_HOST": "postgres",
    "FLOE_SERVING_PORT": "5432",
    "FLOE_SERVING_DB": "serving",
    "FLOE_SERVING_USER": "serving",
    "FLOE_SERVING_PASSWORD": "secret-of-postgres",
}
OF_POLARIS = {
    "FLOE_CATALOG_KIND": "polaris",
    "FLOE_CATALOG_URI": "http://polaris:8181/api/catalog",
    "FLOE_CATALOG_WAREHOUSE": "floe",
    "FLOE_CATALOG_SCOPE": "PRINCIPAL_ROLE:ALL",
    "FLOE_CATALOG_CLIENT_ID": "client",
    "FLOE_CATALOG_CLIENT_SECRET": "secret-of-polaris",
}


@pytest.mark.parametrize(
    "changes", [pytest.param({}, id="iceberg-rest"), pytest.param(OF_POLARIS, id="polaris")]
)
def test_complete_settings_are_read_and_show_no_secret(changes: dict[str, str]) -> None:
    settings = read_settings(COMPLETE | changes)

    assert settings.catalog.uri == (COMPLETE | changes)["FLOE_CATALOG_URI"].rstrip("/")
    assert settings.serving.port == 5432
    assert "secret-of" not in repr(settings)


def test_a_platform_without_an_address_has_no_lakehouse() -> None:
    assert not switched_on({})
    assert not switched_on({"FLOE_CATALOG_URI": ""})
    assert switched_on(COMPLETE)


@pytest.mark.parametrize("name", sorted(set(COMPLETE) - {"FLOE_CATALOG_SCOPE"}))
def test_each_missing_setting_is_named_with_its_remedy(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({key: value for key, value in COMPLETE.items() if key != name})

    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is not set (")
    assert "ConfigMap floe-lakehouse" in problem or "of the Secret floe-" in problem


def test_all_problems_are_told_at_once() -> None:
    wrong = COMPLETE | {"FLOE_CATALOG_KIND": "hive", "FLOE_SERVING_PORT": "five"}
    del wrong["FLOE_S3_REGION"]

    with pytest.raises(SettingsError) as caught:
        read_settings(wrong)

    assert [problem.split()[0] for problem in caught.value.problems] == [
        "FLOE_S3_REGION",
        "FLOE_CATALOG_KIND",
        "FLOE_SERVING_PORT",
    ]
    assert "not polaris or iceberg-rest" in str(caught.value)


def test_polaris_needs_a_client() -> None:
    settings = COMPLETE | OF_POLARIS
    del settings["FLOE_CATALOG_CLIENT_SECRET"]

    with pytest.raises(SettingsError, match="`client-secret` of the Secret floe-polaris-client"):
        read_settings(settings)
