"""Puts into Polaris what the platform needs there: a catalog, and a principal that may fill it.

The chart runs it after each install, upgrade and rollback, so every step looks first: what is there
stays. The principal gets the credentials of a Secret that was there before (Polaris 1.2 takes them,
by `reset`), so that nothing here has to write a Secret. Standard library only; it prints no
credential.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from floe_platform.polaris import (
    Credentials,
    Polaris,
    PolarisError,
    RefusedError,
    UnavailableError,
)

_PAUSE_SECONDS = 1.0
_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
# All of a catalog's namespaces, tables and their data; not who may do what.
_PRIVILEGE = "CATALOG_MANAGE_CONTENT"
# What of a catalog's storage the chart's values decide.
_STORAGE = ("region", "endpoint", "pathStyleAccess", "stsUnavailable", "roleArn")
# What `reset` takes. Source: validateClientId and validateClientSecret in Polaris 1.2.
_CLIENT_ID = re.compile(r"[0-9a-f]{16}")
_CLIENT_SECRET = re.compile(r"[0-9a-f]{32}")


class SetupError(Exception):
    """The setup cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Plan:
    """What has to be in Polaris.

    Attributes:
        catalog: Name of the catalog.
        principal: Name of the principal, and of its principal role.
        warehouse: Where the catalog's tables are: s3://BUCKET/.
        region: Region of the bucket.
        endpoint: Address of the object storage; empty on AWS.
        path_style_access: Whether the bucket stands in the path of an address.
        sts: Whether Polaris gets short-lived credentials from the storage's token service.
        role_arn: Role that it takes on for that, on AWS; empty elsewhere.
    """

    catalog: str
    principal: str
    warehouse: str
    region: str
    endpoint: str = ""
    path_style_access: bool = False
    sts: bool = False
    role_arn: str = ""

    @property
    def catalog_role(self) -> str:
        """Name of the role in the catalog that holds the privilege."""
        return f"{self.principal}-content"

    def storage(self) -> dict[str, Any]:
        """Return the catalog's storage as the management API wants it."""
        settings: dict[str, Any] = {
            "storageType": "S3",
            "allowedLocations": [self.warehouse],
            "region": self.region,
            "pathStyleAccess": self.path_style_access,
            "stsUnavailable": not self.sts,
        }
        if self.endpoint:
            settings["endpoint"] = self.endpoint
        if self.role_arn:
            settings["roleArn"] = self.role_arn
        return settings


def log_in_as_root(
    polaris: Polaris,
    credentials: Credentials,
    *,
    deadline_seconds: float,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Polaris:
    """Wait for Polaris, and log in.

    Args:
        polaris: The realm.
        credentials: Root's.
        deadline_seconds: How long to wait for an answer.
        report: Is told each reason to wait once, when it is new.
        clock: Monotonic time, in seconds.
        sleep: The pause between two tries.

    Returns:
        The realm with root's token.

    Raises:
        SetupError: Polaris does not let root in, or the deadline is over; says which.
    """
    started = clock()
    last = ""
    while True:
        try:
            return polaris.logged_in(credentials)
        except RefusedError as error:
            raise SetupError(_why_root_is_out(polaris, error)) from error
        except UnavailableError as error:
            if str(error) != last:
                report(f"waiting: {error}")
            last = str(error)
        if clock() - started >= deadline_seconds:
            message = (
                f"no login to Polaris within {deadline_seconds:g} s: {last}. Look at it: kubectl "
                "describe pods --selector app.kubernetes.io/component=catalog"
            )
            raise SetupError(message)
        sleep(_PAUSE_SECONDS)


def _why_root_is_out(polaris: Polaris, error: RefusedError) -> str:
    if error.is_of_credentials:
        return (
            f"Polaris does not let root in: {error}. Root's credentials were fixed when realm "
            f"{polaris.realm} was made, and Secret floe-polaris-root (or catalog.polaris."
            "rootSecret) holds others now. Restore that Secret, or purge the realm with "
            "Polaris' admin tool, which deletes its catalogs."
        )
    if error.status == _NOT_FOUND:
        return (
            f"{error}. Either the server there does not know realm {polaris.realm} "
            "(polaris.realm-context.realms in ConfigMap floe-polaris), or it is not Polaris: look "
            "at what Service polaris leads to."
        )
    return (
        f"{error}. It is not about root's credentials: look at what answers there, and at the "
        "catalog's log: kubectl logs --selector app.kubernetes.io/component=catalog"
    )


def apply(polaris: Polaris, plan: Plan, client: Credentials) -> Iterator[str]:
    """Make what is missing.

    Args:
        polaris: The realm, with root's token.
        plan: What has to be there.
        client: What the principal has to log in with.

    Yields:
        A line for each object: that it is made, changed, or was there.

    Raises:
        PolarisError: Polaris could not be asked, or refused a step.
        SetupError: The principal's credentials are none that Polaris takes.
    """
    yield _ensure_catalog(polaris, plan)
    yield _ensure(
        polaris,
        "principal",
        "/principals",
        plan.principal,
        {"principal": {"name": plan.principal}, "credentialRotationRequired": False},
    )
    yield _ensure_credentials(polaris, plan, client)
    yield _ensure(
        polaris,
        "principal role",
        "/principal-roles",
        plan.principal,
        {"principalRole": {"name": plan.principal}},
    )
    yield _ensure_assigned(
        polaris,
        f"/principals/{plan.principal}/principal-roles",
        plan.principal,
        {"principalRole": {"name": plan.principal}},
    )
    yield _ensure(
        polaris,
        "catalog role",
        f"/catalogs/{plan.catalog}/catalog-roles",
        plan.catalog_role,
        {"catalogRole": {"name": plan.catalog_role}},
    )
    yield _ensure_grant(polaris, plan)
    yield _ensure_assigned(
        polaris,
        f"/principal-roles/{plan.principal}/catalog-roles/{plan.catalog}",
        plan.catalog_role,
        {"catalogRole": {"name": plan.catalog_role}},
    )
    polaris.logged_in(client).catalog_settings(plan.catalog)
    yield f"principal {plan.principal} opens catalog {plan.catalog}"


def _ensure_catalog(polaris: Polaris, plan: Plan) -> str:
    wanted = {
        "type": "INTERNAL",
        "name": plan.catalog,
        "properties": {"default-base-location": plan.warehouse},
        "storageConfigInfo": plan.storage(),
    }
    found = polaris.find(f"/catalogs/{plan.catalog}")
    if found is None:
        return _ensure(polaris, "catalog", "/catalogs", plan.catalog, {"catalog": wanted})
    storage, properties = found.get("storageConfigInfo") or {}, found.get("properties") or {}
    if (
        properties.get("default-base-location") == plan.warehouse
        and plan.warehouse in storage.get("allowedLocations", [])
        # Polaris leaves out what is not set.
        and all((storage.get(key) or None) == (plan.storage().get(key) or None) for key in _STORAGE)
    ):
        return f"catalog {plan.catalog} was there"
    # Tables stay where they were made, so the places that were allowed before stay so.
    locations = sorted({plan.warehouse, *storage.get("allowedLocations", [])})
    change = {
        "currentEntityVersion": found["entityVersion"],
        "properties": {**properties, **wanted["properties"]},
        "storageConfigInfo": {**plan.storage(), "allowedLocations": locations},
    }
    try:
        polaris.manage("PUT", f"/catalogs/{plan.catalog}", change)
    except RefusedError as error:
        if error.status != _BAD_REQUEST:
            raise
        raise SetupError(_why_it_stays(plan, storage, error)) from error
    return f"catalog {plan.catalog} is changed: {plan.warehouse} on {plan.endpoint or 'AWS'}"


def _why_it_stays(plan: Plan, storage: dict[str, Any], error: RefusedError) -> str:
    """Say why Polaris does not change a catalog's storage, as far as that is known."""
    before, wanted = storage.get("roleArn") or "", plan.role_arn
    if before == wanted:
        return f"Polaris does not change the storage of catalog {plan.catalog}: {error}"
    return (
        f"Polaris does not change the role of catalog {plan.catalog} from {before or 'none'} to "
        f"{wanted or 'none'}: {error}. A catalog keeps the AWS account of the role that it was "
        f"made with, and one that was made without a role gets none. Put catalog.polaris.storage."
        f"roleArn back to {before or 'empty'}, or name another catalog in catalog.polaris."
        f"catalogName: it is made with the new role, and tables are registered there again from "
        f"their metadata."
    )


def _ensure(polaris: Polaris, kind: str, path: str, name: str, body: dict[str, Any]) -> str:
    if polaris.find(f"{path}/{name}") is not None:
        return f"{kind} {name} was there"
    try:
        polaris.manage("POST", path, body)
    except RefusedError as error:
        if error.status != _CONFLICT:
            raise
        return f"{kind} {name} was there"
    return f"{kind} {name} is made"


def _ensure_credentials(polaris: Polaris, plan: Plan, client: Credentials) -> str:
    try:
        polaris.logged_in(client)
    except RefusedError as error:
        if not error.is_of_credentials:
            raise
        _check_format(client)
    else:
        return f"credentials of {plan.principal} are those of the Secret"
    polaris.manage(
        "POST",
        f"/principals/{plan.principal}/reset",
        {"clientId": client.client_id, "clientSecret": client.client_secret},
    )
    return f"credentials of {plan.principal} are set to those of the Secret"


def _check_format(client: Credentials) -> None:
    if _CLIENT_ID.fullmatch(client.client_id) and _CLIENT_SECRET.fullmatch(client.client_secret):
        return
    message = (
        "the Secret of catalog.polaris.clientSecret holds what Polaris does not take: it wants a "
        "client id of 16 and a client secret of 32 characters out of 0-9a-f. Make them with "
        "`openssl rand -hex 8` and `openssl rand -hex 16`."
    )
    raise SetupError(message)


def _ensure_assigned(polaris: Polaris, path: str, role: str, body: dict[str, Any]) -> str:
    assigned = polaris.manage("GET", path).get("roles", [])
    if any(each["name"] == role for each in assigned):
        return f"role {role} was assigned"
    polaris.manage("PUT", path, body)
    return f"role {role} is assigned"


def _ensure_grant(polaris: Polaris, plan: Plan) -> str:
    path = f"/catalogs/{plan.catalog}/catalog-roles/{plan.catalog_role}/grants"
    grant = {"type": "catalog", "privilege": _PRIVILEGE}
    granted = polaris.manage("GET", path).get("grants", [])
    if any(grant.items() <= each.items() for each in granted):
        return f"{_PRIVILEGE} was granted to {plan.catalog_role}"
    polaris.manage("PUT", path, {"grant": grant})
    return f"{_PRIVILEGE} is granted to {plan.catalog_role}"


def main() -> int:
    """Run the command line; exit code 0 means that everything is there."""
    parser = argparse.ArgumentParser(prog="python -m floe_platform.polaris_setup")
    parser.add_argument("url")
    parser.add_argument("--realm", required=True)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--principal", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--path-style-access", action="store_true")
    parser.add_argument("--sts", action="store_true")
    parser.add_argument("--role-arn", default="")
    parser.add_argument("--deadline-seconds", type=float, default=240)
    arguments = parser.parse_args()
    plan = Plan(
        catalog=arguments.catalog,
        principal=arguments.principal,
        warehouse=arguments.warehouse,
        region=arguments.region,
        endpoint=arguments.endpoint,
        path_style_access=arguments.path_style_access,
        sts=arguments.sts,
        role_arn=arguments.role_arn,
    )
    root = Credentials(os.environ["ROOT_CLIENT_ID"], os.environ["ROOT_CLIENT_SECRET"])
    client = Credentials(
        os.environ["FLOE_CATALOG_CLIENT_ID"], os.environ["FLOE_CATALOG_CLIENT_SECRET"]
    )
    try:
        polaris = log_in_as_root(
            Polaris(arguments.url.rstrip("/"), arguments.realm),
            root,
            deadline_seconds=arguments.deadline_seconds,
            report=_print_line,
        )
        for line in apply(polaris, plan, client):
            _print_line(line)
    except (PolarisError, SetupError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program
        return 1
    return 0


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    sys.exit(main())
