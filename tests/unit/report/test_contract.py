"""The contract of a suite: what the page says is what the code asks for."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import yaml

from floe_tests.config.test_job import problems_of
from floe_tests.doctor.pod_security import violations
from floe_tests.kube.objects import JsonObject
from floe_tests.report import contract

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_of_the_docs_is_what_the_command_prints():
    assert (DOCS / "test-job.md").read_text() == contract.markdown()


def test_the_example_can_be_run_as_it_stands():
    text = contract.markdown().partition("```yaml\n")[2].partition("```")[0]
    job = cast("JsonObject", yaml.safe_load(text))

    assert problems_of(job) == []
    assert list(violations(job, "restricted", kube_version=None)) == []
    assert "{{" not in contract.markdown()
