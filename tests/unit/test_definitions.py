"""What Dagster loads from this project, and what its loading may cost and import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import floe_tests
from floe_tests.config.loader import load_tiers
from floe_tests.definitions import defs

PACKAGE = Path(floe_tests.__file__).parent

# The package's own modules that speak Dagster; the rest is plain Python.
DAGSTER_SKIN = ("definitions.py", "orchestration/")

# Clients and parsers that a run needs and the list of tiers does not.
HEAVY = (
    "alembic",
    "defusedxml",
    "filelock",
    "jinja2",
    "junitparser",
    "kubernetes",
    "matplotlib",
    "numpy",
    "rich",
    "ruptures",
    "scipy",
    "sqlalchemy",
    "typer",
)

# What the files say; whoever adds a tier adds it there and nowhere else.
TIERS = {tier.name.replace("-", "_"): tier for tier in load_tiers(PACKAGE.parent)}
SUITES = {
    name: tuple(suite.name.replace("-", "_") for suite in tier.suites)
    for name, tier in TIERS.items()
}
SHIPPED = {"e2e", "integration", "staging_benchmark", "staging_soak", "statefun", "unit"}
LOADED = {
    "assets": sorted(
        f"{tier}/{stage}"
        for tier in SUITES
        for stage in ("cluster", "platform", "released", "results", "test_job")
    ),
    "checks": sorted(
        f"{tier}/results:{suite}" for tier, suites in SUITES.items() for suite in suites
    ),
    "jobs": sorted(["prune", "reap", *SUITES]),
    "schedules": sorted(
        ["prune_daily", *(f"{name}_schedule" for name, tier in TIERS.items() if tier.schedule)]
    ),
    "sensors": sorted(
        [
            *("reaper", "superseded"),
            *(
                f"{name}_on_deployment"
                for name, tier in TIERS.items()
                if tier.triggers.on_deployment
            ),
            *(
                f"{name}_after_{tier.triggers.after_green.replace('-', '_')}"
                for name, tier in TIERS.items()
                if tier.triggers.after_green
            ),
        ]
    ),
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_by(module: Path) -> set[str]:
    """Return the top-level packages that a module imports anywhere, also inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_the_shipped_tiers_are_these_assets_checks_jobs_and_schedules():
    repository = defs().get_repository_def()

    assert set(SUITES) >= SHIPPED
    graph = repository.asset_graph
    assert {
        "assets": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
        "checks": sorted(
            f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys
        ),
        "jobs": sorted(name for name in repository.job_names if not name.startswith("__")),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    } == LOADED


def test_what_is_loaded_can_be_run():
    dg.Definitions.validate_loadable(defs())


def test_the_public_surface_is_the_component_and_the_version():
    assert floe_tests.__all__ == ["TestTier", "__version__", "project"]
    assert floe_tests.TestTier.__module__ == "floe_tests.orchestration.component"
    with pytest.raises(AttributeError, match="has no attribute 'TestTeir'"):
        _ = floe_tests.TestTeir


def test_the_version_is_the_one_in_pyproject():
    assert (
        f'version = "{floe_tests.__version__}"' in (PACKAGE.parent / "pyproject.toml").read_text()
    )


def test_dagster_is_imported_by_its_skin_alone():
    speakers = [
        module.relative_to(PACKAGE).as_posix()
        for module in modules()
        if any(name.startswith("dagster") for name in imported_by(module))
    ]

    assert speakers, "the walk finds no module"
    assert [name for name in speakers if not name.startswith(DAGSTER_SKIN)] == []


@pytest.mark.functional
def test_loading_definitions_imports_no_heavy_library_that_dagster_has_not():
    """Every `dagster` command loads the definitions, in CI and in each process of the webserver."""
    program = (
        "import json, sys\n"
        "import dagster\n"
        "before = set(sys.modules)\n"
        "from floe_tests.definitions import defs\n"
        "defs().get_repository_def()\n"
        "print(json.dumps(sorted(name for name in set(sys.modules) - before if '.' not in name)))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert sorted(set(HEAVY) & set(json.loads(printed.stdout))) == []


@pytest.mark.functional
def test_the_package_imports_without_dagster():
    program = (
        "import sys, floe_tests.pipeline.run, floe_tests.pipeline.publish; "
        "sys.exit('dagster' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_a_module_reads_no_environment_and_writes_no_file():
    """Environment is read at the edge, in a function that is handed it."""
    readers = [
        f"{module.relative_to(PACKAGE)}:{node.lineno}"
        for module in modules()
        if module.name != "__main__.py"  # a program, and its edge
        for statement in ast.parse(module.read_text()).body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If)
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "write_text"}
    ]

    assert readers == []
