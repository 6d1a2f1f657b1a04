"""`floe-tests init`: what it writes, what it leaves alone, and how it finds names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from floe_tests.cli.app import app
from floe_tests.config.loader import load_tiers
from floe_tests.config.test_job import load_template
from floe_tests.config.tier import TierSettings
from floe_tests.scaffold.chart import ChartFound
from floe_tests.scaffold.files import tier_files
from floe_tests.scaffold.names import label_from, package_from


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "my shop"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def init(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["init", *words])
    return done.exit_code, done.output


def test_without_a_chart_it_begins_with_the_cluster(folder: Path):
    code, said = init()

    assert code == 0, said
    assert "Next: floe-tests run smoke -e kind" in said
    (tier,) = load_tiers(folder)
    assert (tier.name, tier.releases, tier.pod_security) == ("smoke", (), "restricted")
    assert load_template(folder / "tests/smoke/test-job.yaml").container == "tests"
    definitions = (folder / "my_shop_tests" / "definitions.py").read_text()
    assert definitions.splitlines()[-1] == "defs = floe_tests.project(__file__)"


def test_it_writes_over_nothing_and_says_what_is_there(folder: Path):
    (folder / ".gitignore").write_text("mine\n")

    code, said = init()

    assert code == 2
    assert ".gitignore" in said
    assert [path.name for path in folder.iterdir()] == [".gitignore"]
    assert (folder / ".gitignore").read_text() == "mine\n"
    assert init("--force")[0] == 0
    assert "/output/" in (folder / ".gitignore").read_text()


@pytest.mark.usefixtures("folder")
def test_a_second_time_it_says_how_a_tier_is_added():
    init()

    code, said = init()

    assert code == 2
    assert "dg scaffold defs floe_tests.TestTier NAME" in " ".join(said.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--chart", "../nowhere"], "Chart.yaml is missing"),
        (["--chart", "shop-1.0.0.tgz"], "shop-1.0.0.tgz is missing"),
        (["--values", "a.yaml"], "name it with --chart"),
        (["--ci", "circle"], "choose one of github, gitlab"),
    ],
)
def test_a_wrong_word_is_told_before_anything_is_written(folder: Path, words: list[str], said: str):
    code, output = init(*words)

    assert code == 2
    assert said in " ".join(output.replace("│", "").split())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_files_of_a_ci_are_at_the_top_of_the_repository(folder: Path, ci: str):
    (folder / ".git").mkdir()

    code, said = init("e2e tests", "--ci", ci, "--name", "Shop 2")

    assert code == 0, said
    name = ".gitlab-ci.yml" if ci == "gitlab" else ".github/workflows/floe-tests.yml"
    text = (folder / name).read_text()
    assert yaml.safe_load(text)
    assert "floe-tests run smoke" in text
    assert "e2e tests/output/smoke" in text
    assert (folder / "e2e tests" / "shop_2_tests" / "definitions.py").is_file()


@pytest.mark.parametrize(
    "chart",
    [
        ChartFound("shop", "../a b/chart", pod_security="baseline", container_memory="512Mi"),
        ChartFound("shop", "shop", repository="https://charts.example.com", version="1.2.3"),
        ChartFound("shop", "oci://example.com/shop", version="1.2.3"),
        ChartFound("shop", "charts/shop", needs_values="Error: a: 'b' # is required: {c}"),
    ],
    ids=["local", "repository", "registry", "with required values"],
)
def test_the_settings_of_a_tier_are_right_whatever_its_chart(chart: ChartFound):
    files = tier_files(
        "x/defs", "smoke", namespace="shop", chart=chart, values_files=("../values.yaml",)
    )

    tier = TierSettings.model_validate(
        yaml.safe_load(files["x/defs/smoke/defs.yaml"])["attributes"]
    )
    (release,) = tier.releases
    assert (release.chart, release.repository, release.version) == (
        chart.chart,
        chart.repository,
        chart.version,
    )
    assert tier.pod_security == chart.pod_security
    assert tier.budget.container_memory == chart.container_memory


@pytest.mark.parametrize(
    ("text", "label", "package"),
    [
        ("shop-front", "shop-front", "shop_front_tests"),
        ("My Shop!", "my-shop", "my_shop_tests"),
        ("2048", "p2048", "p2048_tests"),
        ("floe", "floe", "my_floe_tests"),
        ("shop-tests", "shop-tests", "shop_tests"),
        ("tests", "tests", "my_tests"),
        ("日本", "project", "project_tests"),
    ],
)
def test_any_name_becomes_one_of_a_release_and_one_of_a_package(
    text: str, label: str, package: str
):
    found = label_from(text, default="project")

    assert found == label
    assert package_from(found) == package
    assert package.isidentifier()
