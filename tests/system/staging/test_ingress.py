"""The UI as people reach it: through an Ingress whose controller asks oauth2-proxy who they are."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from floe_tests.kube.objects import JsonObject

from ..kind_clusters import enforcing_node_image  # noqa: TID252 - suites are folders, not packages
from .conftest import (
    make_namespaces,
    manifests_of,
    needs_images,
    secret,
    self_signed,
    stand_in,
    tls_secret,
    upgrade,
    values,
)
from .orchestrator import NAMESPACE, Orchestrator

pytestmark = pytest.mark.thorough

INGRESS = "ingress"
UI = "tests.example.org"
AUTH = "auth.example.org"
PERSON, PASSWORD = "somebody", "of-somebody"
IMAGES = ("library/traefik:v3.7.13", "quay.io/oauth2-proxy/oauth2-proxy:v7.15.6")


def chart_values() -> dict[str, object]:
    """Return the values that docs/staging.md shows."""
    return values(
        ingress={
            "enabled": True,
            "className": "nginx",
            "host": UI,
            "authentication": {
                "kind": "oauth2-proxy",
                "authUrl": f"http://oauth2-proxy.{INGRESS}.svc.cluster.local/oauth2/auth",
                "signInUrl": f"https://{AUTH}/oauth2/start?rd=$scheme://$host$escaped_request_uri",
            },
            "tls": {"secretName": "tests-tls"},
        },
        networkPolicy={
            "uiFrom": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": INGRESS}},
                    "podSelector": {"matchLabels": {"app": "traefik"}},
                }
            ]
        },
    )


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
        status: The HTTP status.
        location: Where it sends to; empty when nowhere.
        body: The text.
    """

    status: int
    location: str
    body: str


@dataclass(frozen=True)
class Browser:
    """curl with a jar of cookies; whatever host it asks for, it asks the controller.

    Attributes:
        folder: Where it keeps its cookies, and the certificate that it trusts.
        address: HOST:PORT of the controller.
    """

    folder: Path
    address: str

    def ask(self, url: str, *arguments: str) -> Answer:
        """Ask for a page; redirects are not followed."""
        jar, body = str(self.folder / "cookies"), self.folder / "body"
        done = subprocess.run(
            [
                # A refusal before the body is read ends a stream of HTTP/2: curl calls it broken.
                *("curl", "--http1.1", "--silent", "--show-error", "--max-time", "30"),
                *("--connect-to", f"::{self.address}", "--cacert", str(self.folder / "crt")),
                *("--cookie", jar, "--cookie-jar", jar, "--output", str(body)),
                *("--write-out", r"%{http_code} %{redirect_url}", *arguments, url),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        status, _, location = done.stdout.partition(" ")
        return Answer(int(status), location, body.read_text(errors="replace"))

    def finds(self, url: str) -> bool:
        """Whether the controller knows the host of a page, and shows its certificate."""
        try:
            return self.ask(url).status != 404
        except AssertionError:
            return False

    def log_in(self, going_to: str) -> Answer:
        """Fill in oauth2-proxy's form."""
        fields = {"username": PERSON, "password": PASSWORD, "rd": going_to}
        data = [word for item in fields.items() for word in ("--data-urlencode", "=".join(item))]
        return self.ask(f"https://{AUTH}/oauth2/sign_in", *data)

    def query(self, text: str) -> Answer:
        """Ask Dagster's API."""
        header = ("--header", "Content-Type: application/json")
        return self.ask(f"https://{UI}/graphql", *header, "--data", json.dumps({"query": text}))


def people() -> dict[str, str]:
    """Return who may come in, as `htpasswd -s` writes it, and the secret of their cookies."""
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest())
    return {
        "htpasswd": f"{PERSON}:{{SHA}}{digest.decode()}\n",
        "cookie-secret": secrets.token_hex(16),
    }


@pytest.fixture(scope="module")
def controller(
    orchestrator: Orchestrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """The controller, oauth2-proxy, and the chart's Ingress."""
    needs_images(*IMAGES)
    folder = tmp_path_factory.mktemp("ingress")
    certificate = self_signed(folder, UI, AUTH)
    make_namespaces(orchestrator.kube, INGRESS)
    orchestrator.apply(
        tls_secret("tls", *certificate),
        secret("people", **people()),
        *manifests_of("ingress.yaml"),
        namespace=INGRESS,
    )
    orchestrator.apply(tls_secret("tests-tls", *certificate))
    for name in ("traefik", "oauth2-proxy"):
        where = (f"deployment/{name}", "--namespace", INGRESS, "--timeout", "110s")
        orchestrator.kubectl("rollout", "status", *where)
    upgrade(orchestrator.kubeconfig, chart_values=chart_values())
    # A webserver that is new answers no question before it has asked the code location.
    orchestrator.wait_for_location()
    service = orchestrator.kube.get("Service", "traefik", namespace=INGRESS)
    (node, *_) = orchestrator.kube.list("Node")
    assert service is not None
    (host,) = [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
    yield Browser(folder, f"{host}:{service['spec']['ports'][0]['nodePort']}")
    upgrade(orchestrator.kubeconfig)
    orchestrator.kubectl("delete", "namespace", INGRESS)


@pytest.fixture
def browser(controller: Browser, tmp_path: Path, orchestrator: Orchestrator) -> Browser:
    """A browser in which nobody is logged in, once the controller has read the Ingress."""
    fresh = Browser(tmp_path, controller.address)
    (tmp_path / "crt").write_text((controller.folder / "crt").read_text())
    pages = (f"https://{UI}/", f"https://{AUTH}/oauth2/auth")
    orchestrator.wait(
        "the controller knows both hosts", lambda: all(map(fresh.finds, pages)), timeout_seconds=60
    )
    (tmp_path / "cookies").unlink(missing_ok=True)
    return fresh


@pytest.mark.parametrize("path", ["/", "/runs?q=tag%3Aone", "/reports/", "/graphql"])
def test_nobody_is_let_in_and_all_are_sent_to_log_in(browser: Browser, path: str) -> None:
    answer = browser.ask(f"https://{UI}{path}")
    assert answer.status == 302
    asked = urlsplit(answer.location)
    assert (asked.netloc, asked.path) == (AUTH, "/oauth2/start")
    assert parse_qs(asked.query)["rd"] == [f"https://{UI}{path}"]
    refused = browser.query("{ version }")
    assert (refused.status, "version" in refused.body) == (302, False)


def test_who_logs_in_comes_back_to_the_page_and_may_use_the_ui(browser: Browser) -> None:
    page = f"https://{UI}/reports/"
    wrong = browser.ask(
        f"https://{AUTH}/oauth2/sign_in", "--data", f"username={PERSON}&password=no"
    )
    assert wrong.status == 401
    answer = browser.log_in(page)
    assert (answer.status, answer.location) == (302, page)
    assert "<h1>Results</h1>" in browser.ask(page).body
    assert "Dagster</title>" in browser.ask(f"https://{UI}/").body
    assert "version" in json.loads(browser.query("{ version }").body)["data"]


@pytest.mark.skipif(
    enforcing_node_image() is None,
    reason="no node image with a network that enforces policies: airgap/run node --cilium",
)
def test_the_controller_alone_reaches_the_ui(browser: Browser, orchestrator: Orchestrator) -> None:
    """Others in its namespace do not: that would be the way around oauth2-proxy."""
    del browser
    other: JsonObject = stand_in()
    orchestrator.kube.create(other, namespace=INGRESS)
    where = ("--namespace", INGRESS)
    orchestrator.kubectl("rollout", "status", "deployment/stand-in", *where, "--timeout", "110s")
    ui = ["dagster-webserver", "floe-tests-reports"]
    code = (
        "import socket, sys\n"
        "for host in sys.argv[1:]:\n"
        "    try: socket.create_connection((host, 80), timeout=3)\n"
        "    except TimeoutError: print('refused')\n"
    )
    inside = ("exec", "deployment/stand-in", *where, "--", "python", "-c", code)
    said = orchestrator.kubectl(*inside, *(f"{name}.{NAMESPACE}" for name in ui))
    assert said.splitlines() == ["refused", "refused"]
