"""What is printed: readable without colours, pasteable, and as JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from floe_tests.doctor import page
from floe_tests.doctor.check import Check

LONG = "echo " + "x" * 300
CHECKS = (
    Check("helm", "ok", "3.19.0"),
    Check("disk", "warning", "little [is] left", LONG),
    Check("image a", "failed", "not there", "images/build"),
    Check("network", "unknown", "none that is known"),
)


def printed() -> str:
    file = io.StringIO()
    page.show(CHECKS, Console(file=file, width=60, color_system=None))
    return file.getvalue()


def test_every_state_has_a_word():
    lines = printed().splitlines()

    assert [line.split()[:2] for line in lines[:4]] == [
        ["ok", "helm"],
        ["warning", "disk"],
        ["FAILED", "image"],
        ["?", "network"],
    ]
    assert lines[-1] == "1 ok, 1 warning, 1 FAILED, 1 cannot be told"


def test_a_remedy_stands_on_one_line_whatever_the_width():
    assert f"    {LONG}\n" in printed()


def test_what_is_found_is_no_markup():
    assert "little [is] left" in printed()


def test_json_has_all_of_it():
    assert json.loads(page.as_json(CHECKS))[2] == {
        "name": "image a",
        "state": "failed",
        "found": "not there",
        "remedy": "images/build",
    }


@pytest.mark.parametrize(("checks", "failed"), [(CHECKS, True), (CHECKS[:2] + CHECKS[3:], False)])
def test_warnings_and_what_cannot_be_told_do_not_fail(checks: tuple[Check, ...], failed: bool):  # noqa: FBT001 - the row
    assert page.has_failed(checks) is failed
