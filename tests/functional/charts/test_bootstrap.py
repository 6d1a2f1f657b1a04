"""The script that makes Polaris' realm, with a program in the place of its admin tool."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from rendered import CHART

SCRIPT = CHART / "files" / "polaris" / "bootstrap.sh"
# What Polaris 1.2 throws when the realm has a root already.
THERE = (
    "java.lang.IllegalArgumentException: It appears this metastore manager has already been "
    "bootstrapped. To continue bootstrapping, please first purge the metastore"
)


def bootstrap(
    tmp_path: Path, *, says: str = "", code: int = 0, root: str = "s3cret", ends: bool = True
) -> Result:
    tool = tmp_path / "java"
    # Keeps what it was told: the arguments, and the credentials that the script removes afterwards.
    tool.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n'
        f"cp {tmp_path}/credentials.yaml {tmp_path}/given.yaml\n"
        f"ls -l {tmp_path}/credentials.yaml > {tmp_path}/mode\n"
        f'echo "{says}"\n{"" if ends else "exec sleep 60"}\nexit {code}\n'
    )
    tool.chmod(0o755)
    return subprocess.run(
        ["sh", str(SCRIPT)],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
            "REALM": "POLARIS",
            "TOOL_SECONDS": "60" if ends else "0.1",
            "ROOT_CLIENT_ID": "root",
            "ROOT_CLIENT_SECRET": root,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


Result = subprocess.CompletedProcess[str]


@pytest.mark.parametrize("secret", ["s3cret", 'it\'s: {odd} "and" # long', "\\n$HOME`id`"])
def test_the_tool_gets_the_credentials_in_a_file_of_its_own(tmp_path: Path, secret: str) -> None:
    result = bootstrap(tmp_path, root=secret)

    assert result.returncode == 0, result.stderr
    assert result.stdout == "realm POLARIS is made\n"
    assert yaml.safe_load((tmp_path / "given.yaml").read_text()) == {
        "POLARIS": {"client-id": "root", "client-secret": secret}
    }
    assert (tmp_path / "mode").read_text().startswith("-rw-------")
    assert secret not in (tmp_path / "arguments").read_text()
    assert not (tmp_path / "credentials.yaml").exists()


def test_a_realm_that_is_there_is_no_failure(tmp_path: Path) -> None:
    """Every start of the pod but the first one finds it."""
    result = bootstrap(tmp_path, says=THERE, code=3)

    assert result.returncode == 0
    assert result.stdout == "realm POLARIS was there\n"


def test_any_other_failure_is_shown_and_fails(tmp_path: Path) -> None:
    result = bootstrap(tmp_path, says="Connection to postgres:5432 refused", code=3)

    assert result.returncode == 3
    assert "Connection to postgres:5432 refused" in result.stderr
    assert "s3cret" not in result.stderr + result.stdout


def test_a_tool_that_does_not_end_is_ended_and_told_with_the_way_out(tmp_path: Path) -> None:
    """It looks for free credentials for ever where root's are there without root."""
    result = bootstrap(tmp_path, says="busy", ends=False)

    assert result.returncode == 124
    assert "busy" in result.stderr
    assert "half made" in result.stderr
    assert "Purge the realm" in result.stderr
    assert not (tmp_path / "credentials.yaml").exists()


def test_a_realm_that_was_seen_in_the_database_needs_no_tool(tmp_path: Path) -> None:
    (tmp_path / "realm").write_text("made\n")

    result = bootstrap(tmp_path)

    assert result.returncode == 0
    assert result.stdout == "realm POLARIS was there\n"
    assert not (tmp_path / "arguments").exists()


def test_a_realm_that_was_not_seen_is_made(tmp_path: Path) -> None:
    (tmp_path / "realm").write_text("absent\n")

    assert bootstrap(tmp_path).stdout == "realm POLARIS is made\n"
