"""What keeps an embedded platform from working, asked of its webserver."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import cast

JsonObject = Mapping[str, object]
HOST = "127.0.0.1"
_REQUEST_SECONDS = 10.0
_QUERY = """{
  workspaceOrError {
    __typename
    ... on PythonError { message }
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError { __typename ... on PythonError { message } }
      }
    }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""


def problem_of_address(port: int) -> str:
    """Say why the webserver does not answer; empty when it does."""
    try:
        _request(f"http://{HOST}:{port}/server_info")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"http://{HOST}:{port}/server_info: {error}"
    return ""


def problems_of_platform(port: int) -> Iterator[str]:
    """Say what keeps a platform whose webserver answers from working."""
    address = f"http://{HOST}:{port}/graphql"
    try:
        answer = _request(address, json.dumps({"query": _QUERY}).encode())
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield f"{address}: {error}"
        return
    if answer.get("errors"):
        yield f"{address}: {answer['errors']}"
        return
    data = _object(answer["data"])
    workspace = _object(data["workspaceOrError"])
    if workspace["__typename"] != "Workspace":
        yield f"the workspace cannot be read: {workspace.get('message')}"
        return
    for entry in _objects(workspace["locationEntries"]):
        content = _object(entry["locationOrLoadError"] or {})
        if content.get("__typename") != "RepositoryLocation" or entry["loadStatus"] != "LOADED":
            reason = content.get("message", "not loaded yet")
            yield f"code location {entry['name']} is {entry['loadStatus']}: {reason}"
    health = _object(_object(data["instance"])["daemonHealth"])
    for status in _objects(health["allDaemonStatuses"]):
        if status["required"] and not status["healthy"]:
            yield f"daemon {status['daemonType']} has sent no heartbeat"


def _request(address: str, body: bytes | None = None) -> JsonObject:
    request = urllib.request.Request(  # noqa: S310 - an http address of this machine
        address, data=body, headers={"Content-Type": "application/json"}
    )
    # No proxy: the address is this machine's own.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_REQUEST_SECONDS) as response:
        return _object(json.load(response))


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value)


def _objects(value: object) -> list[JsonObject]:
    return cast("list[JsonObject]", value)
