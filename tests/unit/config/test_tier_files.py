"""The tiers of a project: a wrong one is named with file, line and remedy, and the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.config.broken import Tiers
from floe_tests.config.loader import OWN_JOBS, load_tiers, read_tiers
from floe_tests.core.errors import ConfigurationError

GOOD = """\
type: floe_tests.TestTier
attributes:
  name: good
  description: A tier.
  environments: [local]
  suites: [{name: a, command: [pytest]}]
"""
BAD = GOOD.replace("name: good", "name: bad")


def write(root: Path, name: str, content: str | bytes, *, file: str = "defs.yaml") -> Path:
    (root / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "shop"\n')
    path = root / "shop" / "defs" / name / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def names_of(tiers: Tiers) -> tuple[list[str], list[str]]:
    return [each.name for each in tiers.good], [each.name for each in tiers.broken]


def test_what_is_no_tier_is_left_alone(tmp_path: Path):
    write(tmp_path, "good", GOOD)
    write(tmp_path, "other", "type: dagster.DefinitionsComponent\nattributes: {path: x.py}\n")
    write(tmp_path, "notes", "no component\n", file="README.md")

    assert names_of(read_tiers(tmp_path)) == (["good"], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("type: [", "line 1: it is no YAML: while parsing a flow node", id="no YAML"),
        pytest.param(
            BAD.replace("  desc", "\tdesc"), "line 4: it is no YAML: there is a tab", id="tab"
        ),
        pytest.param("", "it is empty. Write `type: floe_tests.TestTier`", id="empty"),
        pytest.param("# later\n", "it is empty", id="only a comment"),
        pytest.param("- a\n", "line 1: it holds no mapping", id="a list"),
        pytest.param("type: " + "[" * 2000, "nested too deeply", id="thousands of brackets"),
        pytest.param("a: !!float no\n", "it is no YAML", id="a number that is none"),
        pytest.param(
            "a: !!python/object:os.system x\n", "could not determine a constr", id="Python"
        ),
        pytest.param(
            BAD.replace("A tier", "Prüfung").encode("latin-1"),
            "line 4: byte 0xfc is no UTF-8. Save the file as UTF-8.",
            id="Latin-1",
        ),
        pytest.param(BAD.encode("utf-16"), "line 1: byte 0xff is no UTF-8", id="UTF-16"),
        pytest.param(
            f"{BAD}  name: b\n",
            "line 7: it is no YAML: 'name' stands here and in line 3",
            id="twice",
        ),
        pytest.param("type: floe_tests.TestTier\n", "attributes: missing", id="no attributes"),
        pytest.param(
            BAD.replace("attr", "atr"),
            "line 2, atributes: there is no such setting. Did you mean attributes?",
            id="attributes misspelt",
        ),
        pytest.param(
            BAD.replace("TestTier", "TestTeir"),
            "there is no component 'floe_tests.TestTeir'. Did you mean floe_tests.TestTier?",
            id="type misspelt",
        ),
        pytest.param(
            BAD.replace("floe_tests.", ""),
            "there is no component 'TestTier'",
            id="type without package",
        ),
        pytest.param(BAD.partition("\n")[2], "type: missing", id="no type"),
        pytest.param(
            BAD.replace("local", "kid"),
            "line 5, environments[0]: 'kid' is none of its values. Did you mean kind?",
            id="an unknown environment",
        ),
        pytest.param(
            BAD.replace("[local]", "[]"), "line 5, environments: empty", id="no environment"
        ),
        pytest.param(
            BAD.replace("[local]", "local"),
            "line 5, environments: 'local' is of the wrong kind. Write a list",
            id="text for a list",
        ),
        pytest.param(
            BAD.replace("description", "descripton"),
            "line 4, descripton: there is no such setting. Did you mean description?",
            id="an unknown field",
        ),
        pytest.param(
            BAD.replace("name: a", "nam: a"),
            "line 6, suites[0].nam: there is no such setting. Did you mean name?",
            id="an unknown field of a suite",
        ),
        pytest.param(
            BAD.replace("name: bad", "name: 12"),
            "line 3, name: 12 is of the wrong kind. Write text, in quotes",
            id="a number for text",
        ),
        pytest.param(
            BAD.replace("name: bad", "name: Bad_1"),
            "line 3, name: 'Bad_1' is no DNS label",
            id="a name in capitals",
        ),
        pytest.param(
            f"{BAD}  budget: {{minutes: many}}\n",
            "line 7, budget.minutes: 'many' is of the wrong kind. Write a number.",
            id="text for a number",
        ),
        pytest.param(
            f"{BAD}  budget: 4Gi\n",
            "line 7, budget: '4Gi' is of the wrong kind. Write a mapping",
            id="text for a mapping",
        ),
        pytest.param(f"{BAD}  keep: allways\n", "Did you mean always?", id="a choice misspelt"),
        pytest.param(
            f"{BAD}  require_collection: maybe\n", "Write true or false", id="a word for a switch"
        ),
        pytest.param(
            f"{BAD}  schedule: {{cron: 61 3 * * *}}\n",
            "line 7, schedule.cron: '61'",
            id="a minute that is none",
        ),
        pytest.param(
            f"{BAD}  schedule: {{cron: 0 3 * * *, timezone: Mars}}\n",
            "schedule.timezone: 'Mars'",
            id="a time zone that is none",
        ),
        pytest.param(
            BAD.replace("command: [pytest]", "job: tests/a/test-job.yaml"),
            "line 6, suites[0].job: tests/a/test-job.yaml does not exist",
            id="a missing file",
        ),
        pytest.param(
            BAD.replace("command: [pytest]", "job: a\\0b"),
            "suites[0].job",
            id="a path that no file has",
        ),
        pytest.param(
            BAD.replace("command: [pytest]", f"job: {'x' * 300}"),
            "a file that it names cannot be looked at",
            id="a path that is too long",
        ),
        pytest.param(
            f"{BAD}  embedded: {{code: .}}\n  releases: [{{name: x, chart: charts/x}}]\n",
            "line 8, releases[0].chart: charts/x is no Helm chart",
            id="a missing chart",
        ),
        pytest.param(f"{BAD}  quarantine: none.yaml\n", "line 7, quarantine", id="a missing list"),
        pytest.param(
            BAD.replace("[local]", "[local, kind]"),
            "line 6, suites: a have no `job`",
            id="no Job for a cluster",
        ),
        pytest.param(
            BAD.replace("bad", "reap"),
            "line 3, name: 'reap' is a job that every project has",
            id="a job of the project",
        ),
        pytest.param(
            BAD.replace("bad", "type"),
            "line 3, name: 'type' is a word that Dagster",
            id="a word of Dagster",
        ),
        pytest.param(
            GOOD, "name: 'good' is the name of the tier in good/ too", id="a copied folder"
        ),
    ],
)
def test_a_wrong_tier_is_told_with_its_line_and_the_others_go_on(
    tmp_path: Path, content: str | bytes, told: str
):
    write(tmp_path, "bad", content)
    write(tmp_path, "good", GOOD)

    tiers = read_tiers(tmp_path)

    assert [each.name for each in tiers.good] == ["good"]
    (broken,) = tiers.broken
    assert told in broken.text(tmp_path)
    assert broken.text(tmp_path).startswith("shop/defs/bad/defs.yaml\n")
    # A job needs a name of its own, whatever the file says.
    assert broken.name not in {"good", "type", *OWN_JOBS}


def test_all_that_is_wrong_in_a_tier_is_told_at_once(tmp_path: Path):
    write(tmp_path, "bad", BAD.replace("[local]", "[moon]").replace("name: a", "name: A"))

    (broken,) = read_tiers(tmp_path).broken

    assert [(each.line, each.field) for each in broken.problems] == [
        (5, "environments[0]"),
        (6, "suites[0].name"),
    ]


def test_links_that_lead_nowhere_or_in_a_circle_do_not_hide_a_tier(tmp_path: Path):
    file = write(tmp_path, "good", GOOD)
    defs = file.parents[1]
    (defs / "circle").symlink_to(defs)
    (defs / "itself").symlink_to("itself")
    (defs / "nowhere").mkdir()
    (defs / "nowhere" / "defs.yaml").symlink_to("gone")
    (defs / "folder" / "defs.yaml").mkdir(parents=True)

    assert names_of(read_tiers(tmp_path)) == (["good"], ["circle", "folder", "itself", "nowhere"])


def test_tiers_are_found_where_dagster_finds_them(tmp_path: Path):
    write(tmp_path, "team/one", GOOD.replace("good", "one"))
    write(tmp_path, "two", GOOD.replace("good", "two"), file="defs.yml")
    both = "---\n".join(GOOD.replace("good", name) for name in ("three", "four"))
    write(tmp_path, "both", both)
    write(tmp_path, ".hidden", "type: [")

    good, broken = names_of(read_tiers(tmp_path))

    assert (good, broken) == (["four", "one", "three", "two"], [])


def test_of_two_tiers_with_one_name_the_folder_of_that_name_has_it(tmp_path: Path):
    write(tmp_path, "a-copy", GOOD.replace("A tier", "A copy"))
    write(tmp_path, "good", GOOD)

    tiers = read_tiers(tmp_path)

    assert [each.description for each in tiers.good] == ["A tier."]
    assert [each.name for each in tiers.broken] == ["a-copy"]


def test_who_needs_all_tiers_right_gets_all_that_is_wrong(tmp_path: Path):
    write(tmp_path, "bad", "type: [")
    write(tmp_path, "worse", "")

    with pytest.raises(ConfigurationError, match=r"(?s)bad/defs\.yaml.*worse/defs\.yaml"):
        load_tiers(tmp_path)
