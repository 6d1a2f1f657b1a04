"""What git says of a test that is gone, in layouts that teams have."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.results.presence.changes import GitChanges
from floe_tests.results.presence.compare import GoodRun
from floe_tests.results.presence.losses import Loss, LossKind
from tests.support.losing import Project

JAVA = "class FooTest {\n  @Test void adds() {}\n  @Test void takes() {}\n}\n"
PYTHON = "class TestA:\n    def test_a(self): pass\n    def test_b(self): pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "repository")
    made.root.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    made.write("service/tests/test_a.py", PYTHON)
    made.write("service/src/test/java/com/acme/FooTest.java", JAVA)
    made.write("base.py", "class Shared:\n    def test_shared(self): pass\n")
    made.write("tests/test_child.py", "from base import Shared\nclass TestChild(Shared): pass\n")
    made.commit()
    return made


def asked(
    project: Project,
    name: str,
    *,
    since: str,
    kind: LossKind = "gone",
    file: str | None = None,
    root: str = "",
) -> tuple[str, str]:
    changes = GitChanges(project.root / root, project.head, is_reported=lambda _name: False)
    change = changes(Loss(name, kind, (name,), 1, file), GoodRun("r", since, "main"))
    return change.kind, change.words


@pytest.mark.parametrize("root", ["", "service"])
def test_a_project_in_a_folder_of_its_repository(project: Project, root: str):
    since = project.head
    project.change("service/tests/test_a.py", "    def test_b(self): pass\n", "")
    project.commit()

    assert asked(project, "tests.test_a.TestA::test_b", since=since, root=root)[0] == "removed"
    assert asked(project, "tests.test_a.TestA::test_a", since=since, root=root) == (
        "kept",
        "it is still in service/tests/test_a.py",
    )


def test_tests_in_another_language_are_found_by_their_class(project: Project):
    since = project.head
    project.change("service/src/test/java/com/acme/FooTest.java", "  @Test void adds() {}\n", "")
    project.commit()

    assert asked(project, "com.acme.FooTest::adds", since=since)[0] == "removed"
    assert asked(project, "com.acme.FooTest::takes", since=since)[0] == "kept"


def test_a_test_that_is_inherited_goes_with_its_class_or_with_its_base(project: Project):
    name, since = "tests.test_child.TestChild::test_shared", project.head
    project.commit()
    assert asked(project, name, since=since, file="base.py")[0] == "kept"

    project.write("base.py", "class Shared: pass\n")
    project.commit()
    assert asked(project, name, since=since, file="base.py")[0] == "removed"


def test_the_same_commit_explains_nothing(project: Project):
    change = asked(project, "tests.test_a.TestA::test_b", since=project.head)

    assert change[0] == "kept"
    assert "has not changed since" in change[1]


@pytest.mark.parametrize("kind", ["skipped", "fewer"])
def test_a_skip_is_explained_by_a_change_of_its_file(project: Project, kind: LossKind):
    since = project.head
    project.change("service/tests/test_a.py", "    def test_b", "    @skip\n    def test_b")
    project.commit()

    assert asked(project, "tests.test_a.TestA::test_b", since=since, kind=kind)[0] == "changed"


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("", "the good run's commit is unknown"),
        ("--output=x", "unknown"),
        ("0" * 40, "not in this"),
    ],
)
def test_a_commit_that_is_none_is_no_option_of_git(project: Project, since: str, words: str):
    kind, why = asked(project, "tests.test_a.TestA::test_b", since=since)

    assert kind == "unknown"
    assert words in why


def test_a_test_whose_file_nobody_finds_is_unknown(project: Project):
    kind, why = asked(project, "elsewhere.test_z::test_b", since=project.head)

    assert kind == "unknown"
    assert "is not in the repository" in why


def test_a_file_that_is_no_python_any_more_is_read_as_words(project: Project):
    since = project.head
    project.write("service/tests/test_a.py", "class TestA(:\n    def test_a(self): pass\n")
    project.commit()

    assert asked(project, "tests.test_a.TestA::test_b", since=since)[0] == "removed"
