"""Does the platform work: `helm test` asks it from inside the cluster, and changes nothing.

The webserver answers before its code location is loaded and before the daemon lives. This waits for
all three and, where it is told of them, for the other servers of the platform; with a deadline, and
it names what is missing. Standard library only.
"""

import argparse
import http.client
import json
import os
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from floe_platform.polaris import Credentials, Polaris, PolarisError

_QUERY = """{
  version
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
_REQUEST_TIMEOUT_SECONDS = 10
_PAUSE_SECONDS = 0.5


def problems(data: dict[str, Any]) -> tuple[str, ...]:
    """Say what keeps the platform from working.

    Args:
        data: `data` of the answer to the query above.

    Returns:
        One sentence a problem; empty when everything works.
    """
    workspace = data["workspaceOrError"]
    if workspace["__typename"] != "Workspace":
        return (f"the workspace cannot be read: {workspace.get('message', '')}",)
    entries = workspace["locationEntries"]
    found = [_location_problem(entry) for entry in entries]
    if not entries:
        found.append("the workspace has no code location")
    statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    found += [
        f"daemon {status['daemonType']} has sent no recent heartbeat"
        for status in statuses
        if status["required"] and not status["healthy"]
    ]
    return tuple(problem for problem in found if problem)


def _location_problem(entry: dict[str, Any]) -> str:
    content = entry["locationOrLoadError"] or {}
    if content.get("__typename") == "PythonError":
        return f"code location {entry['name']} is broken: {content['message']}"
    if entry["loadStatus"] != "LOADED" or not content:
        return f"code location {entry['name']} is {entry['loadStatus']}"
    return ""


def ask(url: str) -> tuple[str, tuple[str, ...]]:
    """Ask the webserver once.

    Args:
        url: Address of the webserver.

    Returns:
        Dagster's version, empty while nobody answers, and the problems.
    """
    request = urllib.request.Request(  # noqa: S310 - the address comes from the chart
        f"{url}/graphql",
        data=json.dumps({"query": _QUERY}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_SECONDS) as response:  # noqa: S310
            answer = json.load(response)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return "", (f"{url}/graphql does not answer: {error}",)
    if answer.get("errors"):
        return "", (f"{url}/graphql refuses the query: {answer['errors']}",)
    return str(answer["data"]["version"]), problems(answer["data"])


def silence(name: str, url: str) -> tuple[str, ...]:
    """Ask a server once whether it is well.

    Args:
        name: What it is called, for the message.
        url: Address that it answers with 200 when it is.

    Returns:
        One sentence when it is not; empty when it is.
    """
    try:
        with urllib.request.urlopen(url, timeout=_REQUEST_TIMEOUT_SECONDS):  # noqa: S310 - the chart's
            return ()
    except (OSError, http.client.HTTPException) as error:
        return (f"{name} does not answer well on {url}: {error}",)


def closed_catalog(url: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Open Polaris' catalog once, as the principal of the pipelines.

    Args:
        url: Address of Polaris.
        environment: FLOE_CATALOG_REALM, _WAREHOUSE, _CLIENT_ID and _CLIENT_SECRET.

    Returns:
        One sentence when it does not open; empty when it does.
    """
    credentials = Credentials(
        environment["FLOE_CATALOG_CLIENT_ID"], environment["FLOE_CATALOG_CLIENT_SECRET"]
    )
    try:
        Polaris(url, environment["FLOE_CATALOG_REALM"]).logged_in(credentials).catalog_settings(
            environment["FLOE_CATALOG_WAREHOUSE"]
        )
    except PolarisError as error:
        return (f"the catalog does not open: {error}",)
    return ()


def main() -> int:
    """Run the command line; exit code 0 means that everything works."""
    parser = argparse.ArgumentParser(prog="python -m floe_platform.readiness", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--answers", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--polaris", metavar="URL")
    parser.add_argument("--deadline-seconds", type=float, default=60)
    arguments = parser.parse_args()
    started = time.monotonic()
    while True:
        version, found = ask(arguments.url.rstrip("/"))
        for name, _, url in (answer.partition("=") for answer in arguments.answers):
            found += silence(name, url)
        if arguments.polaris:
            found += closed_catalog(arguments.polaris, os.environ)
        seconds = time.monotonic() - started
        if not found:
            others = [answer.partition("=")[0] for answer in arguments.answers]
            others += ["Polaris"] if arguments.polaris else []
            works = ", ".join([f"Dagster {version}", *others])
            print(f"{works}: works, seen after {seconds:.1f} s")  # noqa: T201 - a program
            return 0
        if seconds >= arguments.deadline_seconds:
            for problem in found:
                print(f"after {seconds:.0f} s: {problem}", file=sys.stderr)  # noqa: T201 - a program
            return 1
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
