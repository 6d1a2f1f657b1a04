"""A local HTTP server that answers as Polaris 1.2 does, as far as the setup asks it.

Paths, bodies and codes follow spec/polaris-management-service.yml; what that leaves open (the order
of checks, the words of a refusal) follows the server's sources. It keeps its objects in
dictionaries, and is no catalog.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, Any] | None]

ROOT = ("root-id", "root-secret")


@dataclass
class State:
    """What the realm holds, and what was asked.

    Attributes:
        fails: Answers given before anything else, one a request, such as a 503.
        asked: Every request that was understood, as `METHOD /path`.
    """

    credentials: dict[str, tuple[str, str]] = field(default_factory=lambda: {"root": ROOT})
    catalogs: dict[str, dict[str, Any]] = field(default_factory=dict)
    principals: dict[str, dict[str, Any]] = field(default_factory=dict)
    principal_roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    catalog_roles: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    assigned: dict[str, list[str]] = field(default_factory=dict)
    catalog_assigned: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    grants: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    fails: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    realms: set[str] = field(default_factory=set)
    url: str = ""

    def writes(self) -> list[str]:
        """Return what was asked besides questions and logins."""
        return [each for each in self.asked if not each.startswith("GET ") and "oauth" not in each]

    def token(self, form: dict[str, str]) -> Answer:
        """Log in."""
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type", "error_description": "unsupported"}
        offered = (form["client_id"], form["client_secret"])
        for name, known in self.credentials.items():
            if known == offered:
                return 200, {"access_token": f"token-of-{name}", "token_type": "bearer"}
        return 401, {
            "error": "unauthorized_client",
            "error_description": "The client is not authorized",
        }

    def config(self, caller: str, catalog: str) -> Answer:
        """Open a catalog: the caller needs a role of the catalog."""
        if catalog not in self.catalogs:
            return missing(f"Unable to find warehouse {catalog}")
        granted = [
            grant
            for role in self.assigned.get(caller, [])
            for catalog_role in self.catalog_assigned.get((role, catalog), [])
            for grant in self.grants.get((catalog, catalog_role), [])
        ]
        if not granted:
            return 403, error("Principal is not authorized for op LIST_NAMESPACES", "Forbidden")
        return 200, {"defaults": {}, "overrides": {"prefix": catalog}}

    def manage(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """Answer the management API."""
        for route, answer in _ROUTES.items():
            known, _, pattern = route.partition(" ")
            if method == known and (names := re.fullmatch(pattern.replace("*", "([^/]+)"), path)):
                return answer(self, body, *names.groups())
        return missing("no such path")

    def create_catalog(self, body: dict[str, Any]) -> Answer:
        """Make a catalog of what the specification requires."""
        made = body["catalog"]
        assert {"name", "type", "storageConfigInfo", "properties"} <= set(made)
        return create(self.catalogs, made["name"], {**made, "entityVersion": 1})

    def update_catalog(self, body: dict[str, Any], name: str) -> Answer:
        """Change a catalog, if its version is the one that the caller has seen."""
        found = self.catalogs[name]
        if body["currentEntityVersion"] != found["entityVersion"]:
            return 409, error("Failed to update Catalog; currentEntityVersion", "CommitConflict")
        if _account(found) != _account(body):
            return 400, error("Cannot modify Role ARN in storage config", "BadRequestException")
        found |= {
            "properties": body["properties"],
            "storageConfigInfo": body["storageConfigInfo"],
            "entityVersion": found["entityVersion"] + 1,
        }
        return 200, found

    def create_principal(self, body: dict[str, Any]) -> Answer:
        """Make a principal; its credentials are random, whatever the caller wants."""
        name = body["principal"]["name"]
        code, answer = create(self.principals, name, {"name": name})
        if code != 201:
            return code, answer
        self.credentials[name] = ("0" * 16, "1" * 32)
        given = dict(zip(("clientId", "clientSecret"), self.credentials[name], strict=True))
        return 201, {"principal": {"name": name}, "credentials": given}

    def reset(self, body: dict[str, Any], name: str) -> Answer:
        """Set a principal's credentials, if they have the form that Polaris itself gives them."""
        if name not in self.principals:
            return missing("Principal does not exist")
        if not re.fullmatch("[0-9a-f]{16}", body["clientId"]):
            return 400, error("Invalid clientId format", "IllegalArgumentException")
        if not re.fullmatch("[0-9a-f]{32}", body["clientSecret"]):
            return 400, error("Invalid clientSecret format", "IllegalArgumentException")
        self.credentials[name] = (body["clientId"], body["clientSecret"])
        return 200, {"principal": {"name": name}, "credentials": body}

    def create_principal_role(self, body: dict[str, Any]) -> Answer:
        """Make a principal role."""
        return create(self.principal_roles, body["principalRole"]["name"], body["principalRole"])

    def assign(self, body: dict[str, Any], principal: str) -> Answer:
        """Return a principal role to a principal."""
        role = body["principalRole"]["name"]
        if role not in self.principal_roles:
            return missing("PrincipalRole does not exist")
        self.assigned.setdefault(principal, []).append(role)
        return 201, None

    def create_catalog_role(self, body: dict[str, Any], catalog: str) -> Answer:
        """Make a role in a catalog."""
        role = body["catalogRole"]
        return create(self.catalog_roles, (catalog, role["name"]), role)

    def assign_in_catalog(self, body: dict[str, Any], role: str, catalog: str) -> Answer:
        """Return a catalog role to a principal role."""
        name = body["catalogRole"]["name"]
        if (catalog, name) not in self.catalog_roles:
            return missing("CatalogRole does not exist")
        self.catalog_assigned.setdefault((role, catalog), []).append(name)
        return 201, None

    def grant(self, body: dict[str, Any], catalog: str, role: str) -> Answer:
        """Return a privilege to a catalog role."""
        assert set(body["grant"]) == {"type", "privilege"}
        self.grants.setdefault((catalog, role), []).append(body["grant"])
        return 201, None


def _account(catalog: dict[str, Any]) -> str | None:
    """Read the AWS account of a catalog's role: all of it that Polaris compares."""
    role = catalog["storageConfigInfo"].get("roleArn")
    return role and role.split(":")[4]


_ROUTES: dict[str, Callable[..., Answer]] = {
    "POST catalogs": State.create_catalog,
    "GET catalogs/*": lambda state, _, name: get(state.catalogs, name),
    "PUT catalogs/*": State.update_catalog,
    "POST principals": State.create_principal,
    "GET principals/*": lambda state, _, name: get(state.principals, name),
    "POST principals/*/reset": State.reset,
    "GET principals/*/principal-roles": lambda state, _, name: roles(state.assigned, name),
    "PUT principals/*/principal-roles": State.assign,
    "POST principal-roles": State.create_principal_role,
    "GET principal-roles/*": lambda state, _, name: get(state.principal_roles, name),
    "POST catalogs/*/catalog-roles": State.create_catalog_role,
    "GET catalogs/*/catalog-roles/*": lambda state, _, *key: get(state.catalog_roles, key),
    "GET catalogs/*/catalog-roles/*/grants": lambda state, _, *key: (
        200,
        {"grants": state.grants.get(key, [])},
    ),
    "PUT catalogs/*/catalog-roles/*/grants": State.grant,
    "GET principal-roles/*/catalog-roles/*": lambda state, _, *key: roles(
        state.catalog_assigned, key
    ),
    "PUT principal-roles/*/catalog-roles/*": State.assign_in_catalog,
}


def error(message: str, kind: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind}}


def missing(message: str) -> Answer:
    return 404, error(message, "NotFoundException")


def roles(store: dict[Any, list[str]], key: Any) -> Answer:
    return 200, {"roles": [{"name": name} for name in store.get(key, [])]}


def create(store: dict[Any, dict[str, Any]], key: Any, made: dict[str, Any]) -> Answer:
    if key in store:
        return 409, error(f"{key} already exists", "AlreadyExistsException")
    store[key] = made
    return 201, made


def get(store: dict[Any, dict[str, Any]], key: Any) -> Answer:
    return (200, store[key]) if key in store else missing(f"{key} does not exist")


class _Handler(BaseHTTPRequestHandler):
    state: State

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.state.realms.add(self.headers["Polaris-Realm"])
        if self.state.fails:
            return self.answer(self.state.fails.pop(0), None)
        self.state.asked.append(f"{self.command} {address.path}")
        if address.path == "/api/catalog/v1/oauth/tokens":
            form = dict(urllib.parse.parse_qsl(content.decode()))
            return self.answer(*self.state.token(form))
        caller = self.headers.get("Authorization", "").removeprefix("Bearer token-of-")
        if caller not in self.state.credentials:
            return self.answer(401, error("Credentials are required", "NotAuthorizedException"))
        if address.path == "/api/catalog/v1/config":
            catalog = urllib.parse.parse_qs(address.query)["warehouse"][0]
            return self.answer(*self.state.config(caller, catalog))
        if caller != "root":
            return self.answer(403, error("Principal is not authorized", "ForbiddenException"))
        path = address.path.removeprefix("/api/management/v1/")
        body = json.loads(content) if content else {}
        return self.answer(*self.state.manage(self.command, path, body))

    do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server calls

    def answer(self, code: int, content: dict[str, Any] | None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: the tests look at what was asked."""


@contextmanager
def serve() -> Iterator[State]:
    """Run the server until the block ends."""
    state = State()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
