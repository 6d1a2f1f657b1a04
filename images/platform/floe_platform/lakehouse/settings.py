"""Where the lakehouse is and who may use it: read from the environment, all problems at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from floe_platform.lakehouse.errors import SettingsError

SWITCH = "FLOE_CATALOG_URI"
CatalogKind = Literal["polaris", "iceberg-rest"]

_CONFIGURATION = "the ConfigMap floe-lakehouse holds it"
_REMEDIES = {
    "FLOE_CATALOG_KIND": f"polaris or iceberg-rest; {_CONFIGURATION}",
    "FLOE_CATALOG_WAREHOUSE": (
        f"the catalog's name for polaris, an s3:// address for iceberg-rest; {_CONFIGURATION}"
    ),
    "FLOE_S3_ENDPOINT": f"the object storage's address; {_CONFIGURATION}",
    "FLOE_S3_REGION": f"us-east-1 for a store without regions; {_CONFIGURATION}",
    "FLOE_SERVING_HOST": f"the host of the Postgres that serves; {_CONFIGURATION}",
    "FLOE_SERVING_PORT": f"its port, 5432; {_CONFIGURATION}",
    "FLOE_SERVING_DB": f"its database, serving; {_CONFIGURATION}",
    "FLOE_SERVING_USER": f"its user, serving; {_CONFIGURATION}",
    "FLOE_SERVING_PASSWORD": "the key `password` of the Secret floe-postgres-serving",
    "AWS_ACCESS_KEY_ID": "the key `access-key` of the Secret floe-object-storage",
    "AWS_SECRET_ACCESS_KEY": "the key `secret-key` of the Secret floe-object-storage",
    "FLOE_CATALOG_CLIENT_ID": "the key `client-id` of the Secret floe-polaris-client",
    "FLOE_CATALOG_CLIENT_SECRET": "the key `client-secret` of the Secret floe-polaris-client",
    "FLOE_CATALOG_SCOPE": f"PRINCIPAL_ROLE:ALL for polaris; {_CONFIGURATION}",
}
_OF_POLARIS = ("FLOE_CATALOG_CLIENT_ID", "FLOE_CATALOG_CLIENT_SECRET", "FLOE_CATALOG_SCOPE")


@dataclass(frozen=True)
class CatalogSettings:
    """The REST catalog and the object storage behind it.

    Attributes:
        kind: Which server it is.
        uri: Its address, up to and without `/v1`.
        warehouse: Its name of the warehouse, or the address of one.
        scope: The scope of a token, for polaris.
        client_id: Who asks for a token, for polaris.
        client_secret: With which secret.
        s3_endpoint: Address of the object storage.
        s3_region: Its region.
        s3_access_key: Who reads and writes there.
        s3_secret_key: With which secret.
    """

    kind: CatalogKind
    uri: str
    warehouse: str
    s3_endpoint: str
    s3_region: str
    s3_access_key: str
    s3_secret_key: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = ""


@dataclass(frozen=True)
class ServingSettings:
    """The Postgres database that Cube reads."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class LakehouseSettings:
    """Everything the lakehouse needs to know."""

    catalog: CatalogSettings
    serving: ServingSettings


def switched_on(environment: Mapping[str, str]) -> bool:
    """Say whether this platform has a lakehouse."""
    return bool(environment.get(SWITCH))


def read_settings(environment: Mapping[str, str]) -> LakehouseSettings:
    """Read the settings of a lakehouse that is switched on.

    Args:
        environment: Environment variables.

    Returns:
        The settings.

    Raises:
        SettingsError: Something is missing or wrong; it names each variable and its remedy.
    """
    kind = environment.get("FLOE_CATALOG_KIND", "")
    needed = [name for name in _REMEDIES if kind == "polaris" or name not in _OF_POLARIS]
    problems = [
        f"{name} is not set ({_REMEDIES[name]})" for name in needed if not environment.get(name)
    ]
    if not environment.get(SWITCH):
        problems.insert(0, f"{SWITCH} is not set (the catalog's address; {_CONFIGURATION})")
    if kind and kind not in {"polaris", "iceberg-rest"}:
        problems.append(f"FLOE_CATALOG_KIND is '{kind}', not polaris or iceberg-rest")
    port = environment.get("FLOE_SERVING_PORT", "")
    if port and not (port.isascii() and port.isdigit()):
        problems.append(f"FLOE_SERVING_PORT is '{port}', not a number")
    if problems:
        raise SettingsError(problems)
    return LakehouseSettings(
        catalog=CatalogSettings(
            kind="polaris" if kind == "polaris" else "iceberg-rest",
            uri=environment[SWITCH].rstrip("/"),
            warehouse=environment["FLOE_CATALOG_WAREHOUSE"],
            scope=environment.get("FLOE_CATALOG_SCOPE", ""),
            client_id=environment.get("FLOE_CATALOG_CLIENT_ID", ""),
            client_secret=environment.get("FLOE_CATALOG_CLIENT_SECRET", ""),
            s3_endpoint=environment["FLOE_S3_ENDPOINT"],
            s3_region=environment["FLOE_S3_REGION"],
            s3_access_key=environment["AWS_ACCESS_KEY_ID"],
            s3_secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        ),
        serving=ServingSettings(
            host=environment["FLOE_SERVING_HOST"],
            port=int(port),
            database=environment["FLOE_SERVING_DB"],
            user=environment["FLOE_SERVING_USER"],
            password=environment["FLOE_SERVING_PASSWORD"],
        ),
    )
