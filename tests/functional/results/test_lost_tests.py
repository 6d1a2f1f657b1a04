"""Ways to lose tests, each in a real pytest session: red, or named; never green in silence.

And ways to remove them on purpose, which a commit explains: said, and green.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from floe_tests.config.removals import RemovalEntry, Removals
from floe_tests.results.collate import collate
from floe_tests.results.presence.compare import Baseline, Rules
from tests.support.losing import Project, baseline_of, judged

Change = Callable[[Project], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Baseline]:
    """Return the project, and what its whole suite does."""
    folder = tmp_path_factory.mktemp("whole")
    project = Project.create(folder / "project")
    attempt = project.run(folder / "good" / "results", "-p", "no:cacheprovider")
    cases = collate(attempt.directory / "results").cases
    assert attempt.verdict.passed
    assert len(cases) == 98
    return project, baseline_of(cases, commit=project.head)


def nothing(_project: Project) -> None:
    """Leave it as it is: the words beside the usual ones are what is wrong."""


def skips_in_the_middle(project: Project) -> None:
    project.change("tests/conftest.py", "return 1", 'pytest.skip("no service here")')


def deselects_in_a_conftest(project: Project) -> None:
    project.write(
        "conftest.py",
        "def pytest_collection_modifyitems(config, items):\n"
        '    out = [item for item in items if item.name == "test_deep"]\n'
        "    config.hook.pytest_deselected(items=out)\n"
        "    items[:] = [item for item in items if item not in out]\n",
    )


def removes_silently_in_a_conftest(project: Project) -> None:
    project.write(
        "conftest.py",
        "def pytest_collection_modifyitems(items):\n"
        '    items[:] = [item for item in items if item.name != "test_deep"]\n',
    )


def leaves_a_failure_behind(project: Project) -> None:
    project.run(project.root / "first" / "results", OFFLINE="1")
    cache = project.root / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "lastfailed").write_text('{"tests/test_alpha.py::test_a": true}')


def named_twice(project: Project) -> None:
    project.change("tests/test_alpha.py", "def test_b()", "def test_a()")


def replaced(name: str, old: str, new: str) -> Change:
    return lambda project: project.change(name, old, new)


def header(name: str, text: str) -> Change:
    return replaced(name, "import pytest\n", f"import pytest\n{text}\n")


# What is done, the words beside the usual ones, and a test that must be named.
INIT = "class TestBox:\n    def __init__(self): pass\n"
RED = {
    "a marker is misspelt": (
        replaced("tests/test_many.py", "mark.core", "mark.cor"),
        (),
        "test_value",
    ),
    "a conftest deselects": (deselects_in_a_conftest, (), "test_deep"),
    "a conftest removes": (removes_silently_in_a_conftest, (), "test_deep"),
    "-k": (nothing, ("-k", "not deeper"), "test_deeper"),
    "a collection error is ignored": (
        lambda p: p.write("conftest.py", 'collect_ignore = ["tests/test_many.py"]\n'),
        (),
        "test_value",
    ),
    "a class is renamed": (
        replaced("tests/test_alpha.py", "class TestBox", "class BoxTests"),
        (),
        "TestBox::test_in",
    ),
    "a file is renamed": (
        lambda p: p.git("mv", "tests/test_many.py", "tests/many.py"),
        (),
        "test_value",
    ),
    "python_files is changed": (
        replaced("pytest.ini", "markers", "python_files = test_[a-lo-z]*.py\nmarkers"),
        (),
        "test_value",
    ),
    "a test shadows another of its name": (named_twice, (), "test_b"),
    "--lf with an old cache": (leaves_a_failure_behind, ("--lf",), "97 of the 98 tests"),
    "--ignore": (nothing, ("--ignore=tests/folder",), "test_deeper"),
    "--deselect": (nothing, ("--deselect=tests/test_alpha.py::test_a",), "test_a"),
    "norecursedirs": (
        replaced("pytest.ini", "markers", "norecursedirs = folder\nmarkers"),
        (),
        "test_deeper",
    ),
    "testpaths is changed": (
        replaced("pytest.ini", "tests more", "tests"),
        (),
        "test_more",
    ),
    "one folder is named": (nothing, ("tests",), "test_more"),
    "an if around a class": (
        replaced(
            "tests/test_alpha.py",
            "class TestBox:\n    def test_in(self): pass\n    def test_out(self): pass",
            "import os\nif 'BOX' in os.environ:\n    class TestBox:\n"
            "        def test_in(self): pass\n        def test_out(self): pass",
        ),
        (),
        "TestBox::test_in",
    ),
    "a class gets a constructor": (
        replaced("tests/test_alpha.py", "class TestBox:", INIT),
        ("-W", "ignore"),
        "TestBox::test_in",
    ),
    "__test__ is false": (
        replaced("tests/test_alpha.py", "class TestBox:", "class TestBox:\n    __test__ = False"),
        (),
        "TestBox::test_in",
    ),
    "a plugin is disabled": (nothing, ("-p", "no:generated"), "two"),
}

# As above, without the share: what is named is a small part of the tests.
NAMED = {
    "importorskip": (
        header("tests/test_many.py", 'pytest.importorskip("no_such_library")'),
        (),
        "test_value",
    ),
    "a skip of the module": (
        header("tests/test_many.py", 'pytest.skip("later", allow_module_level=True)'),
        (),
        "test_value",
    ),
    "an empty parametrisation": (
        replaced("tests/test_many.py", "[1, 2, 3, 4]", "[]"),
        (),
        "test_value",
    ),
    "a fixture skips": (skips_in_the_middle, (), "test_asks"),
    "a function loses its prefix": (
        replaced("tests/test_alpha.py", "def test_b", "def check_b"),
        (),
        "test_b",
    ),
    "a test is removed": (
        replaced("tests/test_alpha.py", "def test_b(): pass\n", ""),
        (),
        "test_alpha::test_b",
    ),
    "a test is commented out": (
        replaced("tests/test_alpha.py", "def test_b", "# def test_b"),
        (),
        "test_b",
    ),
    "a test is renamed": (
        replaced("tests/test_alpha.py", "test_b", "test_better"),
        (),
        "test_b",
    ),
    "a class is renamed and still collected": (
        replaced("tests/test_alpha.py", "TestBox", "TestCrate"),
        (),
        "now it is tests.test_alpha.TestCrate::test_in",
    ),
    "a file is moved and still collected": (
        lambda p: p.git("mv", "tests/test_many.py", "more/test_lots.py"),
        (),
        "now it is more.test_lots::test_value",
    ),
    "a folder is removed": (lambda p: p.git("rm", "-rq", "tests/folder"), (), "test_deep"),
    "a parameter is removed": (
        replaced("tests/test_many.py", ", 4]", "]"),
        (),
        "test_value[4]",
    ),
    "a test is skipped with a reason": (
        replaced(
            "tests/test_alpha.py", "def test_b", '@pytest.mark.skip(reason="issue 7")\ndef test_b'
        ),
        (),
        "test_b",
    ),
}


def done(
    whole: tuple[Project, Baseline], folder: Path, change: Change
) -> tuple[Project, Baseline, Path]:
    project = whole[0].copy(folder / "project")
    change(project)
    project.commit()
    return project, whole[1], folder / "now" / "results"


@pytest.mark.parametrize(("change", "words", "name"), RED.values(), ids=RED)
def test_what_is_lost_though_nobody_removed_it_is_red(
    whole: tuple[Project, Baseline],
    tmp_path: Path,
    change: Change,
    words: tuple[str, ...],
    name: str,
):
    project, baseline, results = done(whole, tmp_path, change)

    attempt = project.run(results, *words)
    found = judged(project, attempt, baseline)

    assert attempt.verdict.passed, "nothing else says that something is wrong"
    assert found.verdict.cause == "TESTS_MISSING"
    assert name in "\n".join(map(str, found.verdict.evidence))


@pytest.mark.parametrize(("change", "words", "name"), NAMED.values(), ids=NAMED)
def test_what_a_commit_explains_is_said(
    whole: tuple[Project, Baseline],
    tmp_path: Path,
    change: Change,
    words: tuple[str, ...],
    name: str,
):
    project, baseline, results = done(whole, tmp_path, change)

    found = judged(project, project.run(results, *words), baseline)

    assert found.verdict.passed, found.named
    assert name in "\n".join(map(str, found.presence.notes))


def test_a_folder_that_the_image_lacks_is_red(whole: tuple[Project, Baseline], tmp_path: Path):
    image = whole[0].copy(tmp_path / "image")
    shutil.rmtree(image.root / "tests" / "folder")

    attempt = image.run(tmp_path / "now" / "results")
    found = judged(whole[0], attempt, whole[1])

    assert attempt.verdict.passed
    assert found.verdict.cause == "TESTS_MISSING"
    assert "tests/folder/test_deep.py has not changed since" in found.named


def test_a_shard_that_is_lost_is_red(whole: tuple[Project, Baseline], tmp_path: Path):
    shard = {"FLOE_SHARD_INDEX": "0", "FLOE_SHARD_COUNT": "2"}
    attempt = whole[0].run(tmp_path / "now" / "results", "-p", "no:cacheprovider", **shard)
    found = judged(whole[0], attempt, whole[1])

    assert attempt.verdict.passed
    assert found.verdict.cause == "TESTS_MISSING"
    assert "deselected, 0 in that run" in found.named


def test_tests_that_a_variable_skips_are_named_and_red_above_the_share(
    whole: tuple[Project, Baseline], tmp_path: Path
):
    words = ("-p", "no:cacheprovider")
    attempt = whole[0].run(tmp_path / "now" / "results", *words, OFFLINE="1")

    some = judged(whole[0], attempt, whole[1])
    many = judged(whole[0], attempt, whole[1], rules=Rules(fail_above=0.01))

    assert some.verdict.passed
    assert "test_remote::test_far presence: skipped, and ran before" in some.named
    assert many.verdict.cause == "TESTS_MISSING"
    assert "2 of the 98 tests" in str(many.verdict.evidence[0])


def test_all_tests_skipped_is_red_without_any_history(tmp_path: Path):
    project = Project.create(tmp_path / "project")
    project.write(
        "conftest.py", "import pytest\ndef pytest_runtest_setup(item): pytest.skip('off')\n"
    )

    assert project.run(tmp_path / "now" / "results").verdict.cause == "NO_TESTS"


FAILING = {
    "--maxfail": (
        "def test_a(): pass",
        "def test_a(): 1 / 0",
        ("--maxfail=1",),
    ),
    "an ignored error of collection": (
        "import pytest",
        "import no_such_library, pytest",
        ("--continue-on-collection-errors",),
    ),
    "a worker of xdist that dies": (
        "def test_a(): pass",
        "def test_a(): __import__('os')._exit(1)",
        ("-p", "xdist.plugin", "-n", "1", "--max-worker-restart=0"),
    ),
}


@pytest.mark.parametrize(("old", "new", "words"), FAILING.values(), ids=FAILING)
def test_a_run_that_fails_stays_what_it_is(
    whole: tuple[Project, Baseline], tmp_path: Path, old: str, new: str, words: tuple[str, ...]
):
    change = replaced("tests/test_alpha.py", old, new)
    project, baseline, results = done(whole, tmp_path, change)

    attempt = project.run(results, *words)
    found = judged(project, attempt, baseline)

    assert not attempt.verdict.passed
    assert found.verdict.cause == attempt.verdict.cause


def test_a_failure_comes_first_and_what_is_missing_beside_it(
    whole: tuple[Project, Baseline], tmp_path: Path
):
    project, baseline, results = done(
        whole,
        tmp_path,
        replaced("tests/test_alpha.py", "test_a(): pass", "test_a(): 1/0"),
    )

    found = judged(project, project.run(results, "--ignore=tests/folder"), baseline)

    assert found.verdict.cause == "TEST_FAILURE"
    assert "2 of the 98 tests" in "\n".join(map(str, found.verdict.evidence))


REMOVED_LINE = RemovalEntry(
    test="tests.folder.*",
    owner="data",
    reason="moved to another repository, issue 9",
    expires=date(2026, 12, 31),
)


@pytest.mark.parametrize(
    ("today", "cause"), [(date(2026, 12, 31), "PASS"), (date(2027, 1, 1), "TESTS_MISSING")]
)
def test_a_line_in_the_list_is_a_word_until_its_last_day(
    whole: tuple[Project, Baseline], tmp_path: Path, today: date, cause: str
):
    words = ("-p", "no:cacheprovider", "--ignore=tests/folder")
    attempt = whole[0].run(tmp_path / "now" / "results", *words)
    found = judged(whole[0], attempt, whole[1], removals=Removals((REMOVED_LINE,), today))

    assert found.verdict.cause == cause
    assert ("removed by data: moved" if cause == "PASS" else "does not hold today") in found.named


def test_what_must_never_be_missing_needs_a_line(whole: tuple[Project, Baseline], tmp_path: Path):
    project, baseline, results = done(
        whole, tmp_path, replaced("tests/test_alpha.py", "def test_b(): pass\n", "")
    )
    attempt, rules = project.run(results), Rules(fail_named=("tests.test_alpha::*",))
    line = RemovalEntry(test="tests.test_alpha::test_b", owner="o", reason="r")

    without = judged(project, attempt, baseline, rules=rules)
    with_line = judged(
        project, attempt, baseline, rules=rules, removals=Removals((line,), date(2026, 1, 1))
    )

    assert without.verdict.cause == "TESTS_MISSING"
    assert with_line.verdict.passed


def dirty(project: Project) -> str:
    project.write("tests/conftest.py", "import pytest\n")
    return project.head


def shallow(project: Project) -> str:
    clone = project.root.with_name("clone")
    project.git("clone", "-q", "--depth=1", f"file://{project.root}", str(clone))
    shutil.rmtree(project.root)
    clone.rename(project.root)
    return project.head


def unknown(_project: Project) -> str:
    return "unknown"


def no_clone(project: Project) -> str:
    head = project.head
    shutil.rmtree(project.root / ".git")
    return head


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (dirty, "uncommitted changes"),
        (shallow, "is shallow"),
        (unknown, "the commit under test is unknown"),
        (no_clone, "is no clone"),
    ],
)
def test_where_the_repository_cannot_tell_it_says_so_and_the_share_decides(
    whole: tuple[Project, Baseline],
    tmp_path: Path,
    spoil: Callable[[Project], str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project, baseline, results = done(
        whole, tmp_path, replaced("tests/test_alpha.py", "def test_b(): pass\n", "")
    )
    attempt = project.run(results)
    commit = spoil(project)

    green = judged(project, attempt, baseline, commit=commit)
    red = judged(project, attempt, baseline, commit=commit, rules=Rules(fail_above=0))

    assert green.verdict.passed
    assert "tests.test_alpha::test_b presence: gone: " in green.named
    assert words in green.named
    assert red.verdict.cause == "TESTS_MISSING"
