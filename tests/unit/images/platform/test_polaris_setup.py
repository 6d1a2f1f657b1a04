"""What the setup makes in Polaris, asked of a local server that speaks its documented API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from floe_platform import polaris_setup
from floe_platform.polaris import Credentials, Polaris, RefusedError, UnavailableError
from floe_platform.polaris_setup import Plan, SetupError

from . import polaris_server

IMAGE = Path(__file__).parents[4] / "images" / "platform"
CLIENT = Credentials("0123456789abcdef", "0123456789abcdef" * 2)
PLAN = Plan(
    catalog="floe",
    principal="floe-pipelines",
    warehouse="s3://warehouse/",
    region="us-east-1",
    endpoint="http://object-storage:7070",
    path_style_access=True,
)


@pytest.fixture
def server() -> Iterator[polaris_server.State]:
    with polaris_server.serve() as state:
        yield state


def root(server: polaris_server.State) -> Polaris:
    return Polaris(server.url, "POLARIS").logged_in(Credentials(*polaris_server.ROOT))


def set_up(server: polaris_server.State, plan: Plan = PLAN, client: Credentials = CLIENT) -> str:
    return "\n".join(polaris_setup.apply(root(server), plan, client))


def test_the_first_run_makes_all_that_the_pipelines_need(server: polaris_server.State) -> None:
    lines = set_up(server)

    assert server.catalogs["floe"]["type"] == "INTERNAL"
    assert server.catalogs["floe"]["properties"] == {"default-base-location": "s3://warehouse/"}
    assert server.catalogs["floe"]["storageConfigInfo"] == {
        "storageType": "S3",
        "allowedLocations": ["s3://warehouse/"],
        "region": "us-east-1",
        "endpoint": "http://object-storage:7070",
        "pathStyleAccess": True,
        "stsUnavailable": True,
    }
    assert server.assigned == {"floe-pipelines": ["floe-pipelines"]}
    assert server.catalog_assigned == {("floe-pipelines", "floe"): ["floe-pipelines-content"]}
    assert server.grants == {
        ("floe", "floe-pipelines-content"): [
            {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}
        ]
    }
    assert server.realms == {"POLARIS"}
    assert lines.endswith("principal floe-pipelines opens catalog floe")


def test_the_principal_gets_the_credentials_of_the_secret(server: polaris_server.State) -> None:
    """Polaris' own would have to be written into a Secret, by a job with the right to do so."""
    set_up(server)

    assert server.credentials["floe-pipelines"] == (CLIENT.client_id, CLIENT.client_secret)


def test_the_second_run_changes_nothing(server: polaris_server.State) -> None:
    set_up(server)
    server.asked.clear()

    lines = set_up(server)

    assert server.writes() == []
    assert "is made" not in lines
    assert "catalog floe was there" in lines


@pytest.mark.parametrize(
    "lost",
    ["principals", "principal_roles", "catalog_roles", "assigned", "catalog_assigned", "grants"],
)
def test_a_run_that_was_cut_off_is_completed(server: polaris_server.State, lost: str) -> None:
    set_up(server)
    getattr(server, lost).clear()

    set_up(server)

    assert len(server.grants["floe", "floe-pipelines-content"]) == 1
    assert server.credentials["floe-pipelines"] == (CLIENT.client_id, CLIENT.client_secret)


def test_somebody_who_made_it_a_moment_ago_is_no_error(server: polaris_server.State) -> None:
    """Two releases' hooks, or a retry of one whose answer was lost."""

    class Late(Polaris):
        def find(self, path: str) -> None:
            """See nothing of what the other made."""

    set_up(server)
    late = Late(server.url, "POLARIS", root(server).token)

    lines = list(polaris_setup.apply(late, PLAN, CLIENT))

    assert "principal floe-pipelines was there" in lines


def test_other_storage_is_told_to_the_catalog_and_old_places_stay_allowed(
    server: polaris_server.State,
) -> None:
    """Tables that were made in the old bucket could not be read any more."""
    set_up(server)

    moved = replace(PLAN, warehouse="s3://larger/", endpoint="", region="eu-west-1")
    set_up(server, moved)

    found = server.catalogs["floe"]
    assert found["properties"] == {"default-base-location": "s3://larger/"}
    assert found["storageConfigInfo"]["allowedLocations"] == ["s3://larger/", "s3://warehouse/"]
    assert "endpoint" not in found["storageConfigInfo"]
    server.asked.clear()
    set_up(server, moved)
    assert server.writes() == []


def test_on_aws_polaris_takes_on_the_role(server: polaris_server.State) -> None:
    role = "arn:aws:iam::123456789012:role/floe"
    set_up(server, replace(PLAN, endpoint="", path_style_access=False, sts=True, role_arn=role))

    storage = server.catalogs["floe"]["storageConfigInfo"]
    assert storage["roleArn"] == role
    assert storage["stsUnavailable"] is False


ROLE = "arn:aws:iam::123456789012:role/floe"


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        pytest.param("", ROLE, id="added"),
        pytest.param(ROLE, "", id="removed"),
        pytest.param(ROLE, ROLE.replace("1234", "4321"), id="another account"),
    ],
)
def test_a_role_that_polaris_does_not_change_is_said_with_the_ways_out(
    server: polaris_server.State, before: str, wanted: str
) -> None:
    """Its own words name a whole storage configuration, and no value of the chart."""
    set_up(server, replace(PLAN, role_arn=before))

    with pytest.raises(SetupError, match="Cannot modify Role ARN") as caught:
        set_up(server, replace(PLAN, role_arn=wanted))

    said = str(caught.value)
    assert f"from {before or 'none'} to {wanted or 'none'}" in said
    assert f"catalog.polaris.storage.roleArn back to {before or 'empty'}" in said
    assert "catalog.polaris.catalogName" in said


def test_another_role_of_the_same_account_is_taken(server: polaris_server.State) -> None:
    set_up(server, replace(PLAN, role_arn=ROLE))

    set_up(server, replace(PLAN, role_arn=f"{ROLE}-2"))

    assert server.catalogs["floe"]["storageConfigInfo"]["roleArn"] == f"{ROLE}-2"


def test_another_refusal_of_a_change_is_not_explained_by_the_role(
    server: polaris_server.State,
) -> None:
    set_up(server)
    polaris = root(server)
    server.catalogs["floe"]["properties"] = {}

    class Read(Polaris):
        def find(self, path: str) -> dict[str, Any] | None:
            """Read without asking, so that the change is what fails."""
            return server.catalogs["floe"] if path == "/catalogs/floe" else super().find(path)

    server.fails = [400]
    with pytest.raises(SetupError, match=r"storage of catalog floe: PUT .* 400") as caught:
        list(polaris_setup.apply(Read(server.url, "POLARIS", polaris.token), PLAN, CLIENT))

    assert "roleArn" not in str(caught.value)


def test_a_changed_secret_is_given_to_the_principal(server: polaris_server.State) -> None:
    set_up(server)
    changed = Credentials("f" * 16, "e" * 32)

    set_up(server, client=changed)

    assert server.credentials["floe-pipelines"] == ("f" * 16, "e" * 32)


def test_credentials_that_polaris_does_not_take_are_refused_with_how_to_make_some(
    server: polaris_server.State,
) -> None:
    with pytest.raises(SetupError, match="openssl rand -hex 8") as caught:
        set_up(server, client=Credentials("pipelines", "correct horse"))

    assert "correct horse" not in str(caught.value)


def test_a_refused_step_names_request_status_and_reason(server: polaris_server.State) -> None:
    with pytest.raises(RefusedError, match=r"POST .*/principals/nobody/reset .* 404: Principal"):
        root(server).manage("POST", "/principals/nobody/reset", {})


def wait(server: polaris_server.State, credentials: Credentials, seconds: float = 60) -> list[str]:
    said: list[str] = []
    now = iter(range(1000))
    polaris_setup.log_in_as_root(
        Polaris(server.url, "POLARIS"),
        credentials,
        deadline_seconds=seconds,
        report=said.append,
        clock=lambda: next(now),
        sleep=lambda _: None,
    )
    return said


def test_it_waits_while_polaris_comes_up_and_says_so_once(server: polaris_server.State) -> None:
    server.fails = [503, 503, 500]

    said = wait(server, Credentials(*polaris_server.ROOT))

    assert len(said) == 2
    assert "503" in said[0]


def test_nobody_there_ends_at_the_deadline_with_the_next_command(
    server: polaris_server.State,
) -> None:
    server.url = "http://127.0.0.1:1"

    with pytest.raises(SetupError, match="kubectl describe pods"):
        wait(server, Credentials(*polaris_server.ROOT), seconds=3)


def test_a_lost_root_secret_is_told_at_once(server: polaris_server.State) -> None:
    """Waiting would not help, and Polaris' own words do not say what has happened."""
    with pytest.raises(SetupError, match="Secret floe-polaris-root") as caught:
        wait(server, Credentials("root-id", "wrong"))

    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401])
def test_refused_credentials_are_told_as_such(server: polaris_server.State, status: int) -> None:
    """RFC 6749 has 400 for them; Polaris answers with 401."""
    server.fails = [status]

    with pytest.raises(SetupError, match="Secret floe-polaris-root"):
        wait(server, Credentials(*polaris_server.ROOT))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(404, "does not know realm POLARIS", id="another realm or server"),
        pytest.param(403, "kubectl logs", id="forbidden"),
        pytest.param(405, "kubectl logs", id="another server"),
    ],
)
def test_another_refusal_of_the_login_is_not_blamed_on_the_credentials(
    server: polaris_server.State, status: int, said: str
) -> None:
    """Somebody would purge a realm, with its catalogs, for an address that is wrong."""
    server.fails = [status]

    with pytest.raises(SetupError, match=said) as caught:
        wait(server, Credentials(*polaris_server.ROOT))

    assert f"answered with {status}" in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert "purge" not in str(caught.value)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_trouble_that_passes_is_waited_for(server: polaris_server.State, status: int) -> None:
    server.fails = [status]

    assert str(status) in wait(server, Credentials(*polaris_server.ROOT))[0]


def test_a_login_that_is_answered_without_a_token_is_said(server: polaris_server.State) -> None:
    """As by a proxy's own page of status 200."""
    server.fails = [200]

    assert "without a token" in wait(server, Credentials(*polaris_server.ROOT))[0]


def test_only_refused_credentials_are_set_anew(server: polaris_server.State) -> None:
    set_up(server)
    polaris = root(server)

    class Lost(Polaris):
        def logged_in(self, credentials: Credentials) -> Polaris:
            """Find no token path."""
            message = f"the login of {credentials.client_id} was answered with 404"
            raise RefusedError(message, status=404)

    server.asked.clear()
    with pytest.raises(RefusedError, match="404"):
        list(polaris_setup.apply(Lost(server.url, "POLARIS", polaris.token), PLAN, CLIENT))

    assert server.writes() == []


def test_an_answer_without_content_is_empty_and_a_gateways_error_passes(
    server: polaris_server.State,
) -> None:
    polaris = Polaris(server.url, "POLARIS", "token-of-root")
    server.fails = [200, 502]

    assert polaris.manage("GET", "/catalogs/floe") == {}
    with pytest.raises(UnavailableError, match="502"):
        polaris.manage("GET", "/catalogs/floe")


@pytest.mark.functional
@pytest.mark.parametrize(
    ("secret", "code", "said"),
    [
        pytest.param("root-secret", 0, "opens catalog floe", id="works"),
        pytest.param("forgotten", 1, "does not let root in", id="refused"),
    ],
)
def test_the_program_ends_with_a_code_and_prints_no_credential(
    server: polaris_server.State, secret: str, code: int, said: str
) -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "floe_platform.polaris_setup", server.url),
            *("--realm=POLARIS", "--catalog=floe", "--principal=floe-pipelines"),
            *("--warehouse=s3://warehouse/", "--region=us-east-1", "--path-style-access"),
            *("--endpoint=http://object-storage:7070", "--deadline-seconds=5"),
        ],
        env={
            "PYTHONPATH": str(IMAGE),
            "ROOT_CLIENT_ID": "root-id",
            "ROOT_CLIENT_SECRET": secret,
            "FLOE_CATALOG_CLIENT_ID": CLIENT.client_id,
            "FLOE_CATALOG_CLIENT_SECRET": CLIENT.client_secret,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    printed = result.stdout + result.stderr
    assert result.returncode == code, printed
    assert said in printed
    for credential in (secret, CLIENT.client_id, CLIENT.client_secret, "1" * 32):
        assert credential not in printed
