"""Errors say what was tried and carry what was seen; each has a party that is at fault."""

from __future__ import annotations

import pytest

from floe_tests.core import errors
from floe_tests.core.errors import FloeTestsError, ProgramError
from floe_tests.core.evidence import Evidence
from floe_tests.pipeline.records import error_facts


def classes_below(base: type[FloeTestsError]) -> set[type[FloeTestsError]]:
    return {base}.union(*(classes_below(found) for found in base.__subclasses__()))


def test_every_error_of_the_module_stands_in_the_tree_that_its_docstring_draws():
    drawn = errors.__doc__ or ""
    defined = {item for item in vars(errors).values() if isinstance(item, type)}

    for error in defined & classes_below(FloeTestsError):
        assert f"{error.__name__}" in drawn, error


@pytest.mark.parametrize(
    ("error", "party"),
    [
        (errors.ConfigurationError("x"), "configuration"),
        (errors.LeaseError("x"), "configuration"),
        (errors.PlatformError("x"), "platform"),
        (errors.HarnessError("x"), "harness"),
        (errors.CleanupError("x"), "cleanup"),
        (errors.InfrastructureError("x"), "infrastructure"),
        (errors.DeadlineError("x"), "infrastructure"),
        (ProgramError(command="kind", exit_code=1, output_tail=""), "infrastructure"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_is_somebodys_fault(error: FloeTestsError, party: str):
    facts = error_facts(error)

    assert (facts.party, facts.message) == (party, str(error))


def test_an_errors_evidence_becomes_the_facts_evidence():
    seen = Evidence("pod/web", "status", "CrashLoopBackOff")

    assert error_facts(errors.PlatformError("down", evidence=[seen])).evidence == (seen,)


def test_a_program_errors_evidence_is_its_exit_code():
    error = ProgramError(command="kind create cluster", exit_code=125, output_tail="no disk")

    assert [str(item) for item in error.evidence] == ["kind create cluster exit code: 125"]
    assert str(error).splitlines()[-1] == "no disk"


def test_evidence_is_one_line_with_its_time():
    assert str(Evidence("pod/web", "status.phase", "Failed", "2026-11-23T09:00:00Z")) == (
        "pod/web status.phase: Failed at 2026-11-23T09:00:00Z"
    )
    assert str(Evidence("pod/web", "status.phase", "Failed")) == "pod/web status.phase: Failed"
