"""What is said of Polaris' realm, asked of a real Postgres with the tables of Polaris 1.2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from floe_platform import polaris_realm
from floe_platform.lakehouse.settings import ServingSettings
from floe_platform.polaris_realm import Realm

from . import postgres

ROOT = Path(__file__).parents[5]
IMAGE = ROOT / "images" / "platform"
BOOTSTRAP = ROOT / "charts" / "floe-platform" / "files" / "polaris" / "bootstrap.sh"
# The columns that are looked at. Source: postgres/schema-v3.sql of Apache Polaris 1.2.
TABLES = """
CREATE SCHEMA polaris_schema;
CREATE TABLE polaris_schema.entities (
  realm_id TEXT, catalog_id BIGINT, id BIGINT, parent_id BIGINT, name TEXT, type_code INT
);
CREATE TABLE polaris_schema.grant_records (
  realm_id TEXT, securable_catalog_id BIGINT, securable_id BIGINT, grantee_catalog_id BIGINT,
  grantee_id BIGINT, privilege_code INT
);
CREATE TABLE polaris_schema.principal_authentication_data (
  realm_id TEXT, principal_id BIGINT, principal_client_id TEXT
);
CREATE TABLE polaris_schema.policy_mapping_record (realm_id TEXT);
"""
# The steps of a bootstrap in their order, each of them committed.
STEPS = (
    "INSERT INTO polaris_schema.entities VALUES (%(realm)s, 0, 0, 0, 'root_container', 1)",
    "INSERT INTO polaris_schema.principal_authentication_data VALUES (%(realm)s, 7, 'root-id')",
    "INSERT INTO polaris_schema.entities VALUES (%(realm)s, 0, 7, 0, 'root', 2)",
    "INSERT INTO polaris_schema.entities VALUES (%(realm)s, 0, 8, 0, 'service_admin', 3)",
    "INSERT INTO polaris_schema.grant_records VALUES (%(realm)s, 0, 8, 0, 7, 4)",
    "INSERT INTO polaris_schema.grant_records VALUES (%(realm)s, 0, 0, 0, 8, 1)",
)


class Database:
    """A database that holds as much of a realm as a test says."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def make(self, steps: int, realm: str = "POLARIS") -> None:
        with self.connection.cursor() as cursor:
            for step in STEPS[:steps]:
                cursor.execute(step, {"realm": realm})
        self.connection.commit()

    def run(self, statements: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statements)
        self.connection.commit()


@pytest.fixture
def login(postgres_server: ServingSettings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables = {
        "PGHOST": postgres_server.host,
        "PGPORT": str(postgres_server.port),
        "PGDATABASE": postgres_server.database,
        "PGUSER": postgres_server.user,
        "PGPASSWORD": postgres_server.password,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def database(login: dict[str, str], postgres_server: ServingSettings) -> Iterator[Database]:
    assert login, "the code under test connects by it"
    with postgres.connection(postgres_server) as connection:
        found = Database(connection)
        found.run(TABLES)
        yield found
        connection.rollback()
        found.run("DROP SCHEMA polaris_schema CASCADE")


@pytest.mark.usefixtures("login")
def test_a_database_without_polaris_has_no_realm() -> None:
    assert polaris_realm.look("POLARIS").is_absent


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param(0, "is not made", id="nothing"),
        # The tool goes on from there.
        pytest.param(1, "is not made", id="container"),
        pytest.param(2, "is half made: without root, root's role, its rights", id="credentials"),
        pytest.param(3, "is half made: without root's role, its rights", id="root"),
        pytest.param(4, "is half made: without its rights", id="role"),
        pytest.param(5, "is half made: without its rights", id="role of root"),
        pytest.param(6, "is made", id="all"),
    ],
)
def test_each_step_of_a_bootstrap_is_told(database: Database, steps: int, said: str) -> None:
    database.make(steps)

    assert str(polaris_realm.look("POLARIS")) == said


def test_root_without_credentials_is_half_made(database: Database) -> None:
    """The tool takes it for made, and nobody can log in."""
    database.make(6)
    database.run("DELETE FROM polaris_schema.principal_authentication_data")

    assert str(polaris_realm.look("POLARIS")) == "is half made: without root's credentials"


def test_other_realms_do_not_count(database: Database) -> None:
    database.make(6, realm="OTHER")

    assert polaris_realm.look("POLARIS").is_absent


def test_the_way_out_leaves_a_realm_that_can_be_made(database: Database) -> None:
    """Polaris' own `purge` refuses a realm without root."""
    database.make(6, realm="OTHER")
    database.make(2, realm="IT'S")
    said = polaris_realm.remedy("IT'S", polaris_realm.look("IT'S"), namespace="floe")

    database.run(said[said.index("DELETE") :])

    assert polaris_realm.look("IT'S").is_absent
    assert polaris_realm.look("OTHER").is_made


def test_the_way_out_counts_the_catalogs_that_go_with_it(database: Database) -> None:
    database.make(5)
    database.run("INSERT INTO polaris_schema.entities VALUES ('POLARIS', 0, 9, 0, 'floe', 4)")

    said = polaris_realm.remedy("POLARIS", polaris_realm.look("POLARIS"), namespace="floe")

    assert "1 catalogs, which are lost" in said


def run(login: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "floe_platform.polaris_realm", *arguments),
            *("--realm=POLARIS", "--namespace=floe", "--deadline-seconds=0"),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(IMAGE), **login},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("steps", "code", "result"),
    [
        pytest.param(0, 0, "absent\n", id="absent"),
        pytest.param(2, 1, None, id="half made"),
        pytest.param(6, 0, "made\n", id="made"),
    ],
)
def test_the_job_that_makes_it_is_told_whether_to(
    database: Database, login: dict[str, str], tmp_path: Path, steps: int, code: int, result: str
) -> None:
    database.make(steps)

    ended = run(login, "whole-or-absent", f"--result={tmp_path / 'realm'}")

    assert ended.returncode == code, ended.stderr
    written = tmp_path / "realm"
    assert (written.read_text() if written.exists() else None) == result
    assert ("Purge the realm" in ended.stderr) == (code == 1)


@pytest.mark.parametrize(
    ("steps", "code", "said"),
    [
        pytest.param(0, 1, "helm upgrade", id="absent"),
        pytest.param(3, 1, "Purge the realm", id="half made"),
        pytest.param(6, 0, "", id="made"),
    ],
)
def test_who_needs_the_realm_is_told_what_to_do(
    database: Database, login: dict[str, str], steps: int, code: int, said: str
) -> None:
    database.make(steps)

    ended = run(login, "whole")

    assert ended.returncode == code
    assert said in ended.stderr


def wait(states: list[Realm | Exception], deadline_seconds: float = 300) -> tuple[Realm, list[str]]:
    said: list[str] = []
    now = iter(range(10_000))

    def see() -> Realm:
        seen = states.pop(0) if len(states) > 1 else states[0]
        if isinstance(seen, Exception):
            raise seen
        return seen

    realm = polaris_realm.wait_until(
        lambda seen: seen.is_made,
        see,
        deadline_seconds=deadline_seconds,
        report=said.append,
        clock=lambda: next(now),
        sleep=lambda _: None,
    )
    return realm, said


ABSENT, HALF, MADE = Realm(is_absent=True), Realm(missing=("root",)), Realm()


def test_the_pods_wait_while_another_makes_the_realm() -> None:
    """One that is half made may be on its way: a bootstrap commits each of its steps."""
    gone = psycopg2.OperationalError("connection refused")

    realm, said = wait([gone, gone, ABSENT, ABSENT, HALF, HALF, MADE])

    assert realm.is_made
    assert said == [
        "waiting: connection refused",
        "waiting: the realm is not made",
        "waiting: the realm is half made: without root",
    ]


def test_one_that_stays_half_made_is_not_waited_for() -> None:
    realm, _ = wait([ABSENT, HALF], deadline_seconds=10_000)

    assert realm == HALF


def test_one_that_nobody_makes_is_waited_for_until_the_deadline() -> None:
    realm, _ = wait([ABSENT], deadline_seconds=100)

    assert realm == ABSENT


def test_a_database_that_does_not_answer_is_said_at_the_deadline() -> None:
    with pytest.raises(polaris_realm.UnusableError, match=r"100 s: connection refused"):
        wait([psycopg2.OperationalError("connection refused")], deadline_seconds=100)


# Polaris' admin tool as far as it matters here: it commits each step by itself, and goes on from a
# realm that is not there alone.
TOOL = """#!{python}
import os, sys
sys.path.insert(0, {here!r})
import psycopg2
with open({log!r}, "a") as log:
    log.write("started\\n")
connection = psycopg2.connect("")
connection.autocommit = True
with connection.cursor() as cursor:
    for step in {steps!r}:
        cursor.execute(step, {{"realm": "POLARIS"}})
"""


def test_pods_that_start_at_once_get_one_realm(
    database: Database, login: dict[str, str], tmp_path: Path
) -> None:
    """As the chart has it: the pods wait, the Job looks and makes; the next Job finds it made."""
    assert database
    tool, log = tmp_path / "java", tmp_path / "started"
    tool.write_text(TOOL.format(python=sys.executable, here=str(IMAGE), log=str(log), steps=STEPS))
    tool.chmod(0o755)
    variables = {
        **login,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(IMAGE),
        "TMPDIR": str(tmp_path),
        "REALM": "POLARIS",
        "ROOT_CLIENT_ID": "root-id",
        "ROOT_CLIENT_SECRET": "root-secret",
    }
    words = [sys.executable, "-m", "floe_platform.polaris_realm"]
    common = ["--realm=POLARIS", "--namespace=floe", "--deadline-seconds=60"]
    pods = [
        subprocess.Popen([*words, "whole", *common], env=variables, stdout=subprocess.PIPE)
        for _ in range(2)
    ]

    for _ in range(2):  # an install, and an upgrade
        look = [*words, "whole-or-absent", *common, f"--result={tmp_path / 'realm'}"]
        subprocess.run(look, env=variables, check=True, capture_output=True, timeout=60)
        subprocess.run(["sh", BOOTSTRAP], env=variables, check=True, timeout=60)

    for pod in pods:
        said, _ = pod.communicate(timeout=60)
        assert pod.returncode == 0
        assert said.endswith(b"realm POLARIS is made\n")
    assert log.read_text() == "started\n"
