"""The tiers of a project as the command line reads them: a wrong one is named, with its field."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.config.loader import load_tiers
from floe_tests.core.errors import ConfigurationError

GOOD = """\
type: floe_tests.TestTier
attributes:
  name: good
  description: A tier.
  environments: [local]
  suites: [{name: a, command: [pytest]}]
"""


def write(root: Path, name: str, text: str) -> None:
    (root / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "shop"\n')
    file = root / "shop" / "defs" / name / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_what_is_no_tier_is_left_alone(tmp_path: Path):
    write(tmp_path, "good", GOOD)
    write(tmp_path, "other", "type: dagster.DefinitionsComponent\nattributes: {path: x.py}\n")

    assert [tier.name for tier in load_tiers(tmp_path)] == ["good"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("type: [", "while parsing", id="no YAML"),
        pytest.param("", "it holds no mapping", id="empty"),
        pytest.param("- a\n", "it holds no mapping", id="a list"),
        pytest.param("type: floe_tests.TestTier\n", "attributes", id="no attributes"),
        pytest.param(GOOD.replace("local", "moon"), "environments", id="an unknown environment"),
        pytest.param(GOOD.replace("name: a", "nam: a"), "suites", id="an unknown field"),
        pytest.param(
            GOOD.replace("command: [pytest]", "job: tests/a/test-job.yaml"),
            "tests/a/test-job.yaml does not exist",
            id="a missing file",
        ),
    ],
)
def test_every_wrong_tier_is_named_at_once(tmp_path: Path, text: str, words: str):
    write(tmp_path, "bad", text)
    write(tmp_path, "bad2", text.replace("good", "bad2"))
    write(tmp_path, "good", GOOD)

    with pytest.raises(ConfigurationError) as caught:
        load_tiers(tmp_path)

    lines = str(caught.value).splitlines()
    assert words in lines[0]
    assert {line.partition("/defs.yaml: ")[0].rpartition("/")[2] for line in lines} == {
        "bad",
        "bad2",
    }
