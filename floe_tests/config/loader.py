"""The tiers of a project, read from its defs.yaml files without Dagster.

A wrong file is one tier that cannot run, and the others do: every command and Dagster go on with
those, and say what is wrong with the rest.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from floe_tests.config import references, wording
from floe_tests.config.base import no_such_setting
from floe_tests.config.broken import BrokenTier, Problem, Tiers
from floe_tests.config.discovery import project_at
from floe_tests.config.providers import description_of
from floe_tests.config.tier import TierSettings
from floe_tests.config.yaml_source import Document, SourceError, read_documents
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.json_values import is_object
from floe_tests.kube.access import ClusterAccess

TYPE = "floe_tests.TestTier"
_TYPES = frozenset({TYPE, "floe_tests.orchestration.component.TestTier"})
# What a file of Dagster's components may say. Source: https://docs.dagster.io/guides/build/components
_KEYS = ("type", "attributes", "template_vars_module", "requirements", "post_processing")
# The files in which Dagster looks for components, the first that is there.
FILES = ("defs.yaml", "defs.yml", "component.yaml")
_FOLDERS = re.compile(r"dagster(\.[a-z.]+)?\.DefsFolderComponent")

# The project's own jobs, beside those of its tiers.
OWN_JOBS = frozenset({"prune", "reap"})
# Names that Dagster takes for no job. Source: dagster/_core/definitions/utils.py
_NO_NAMES = frozenset(
    {
        *("bool", "conf", "config", "context", "dict", "float", "input", "int", "meta", "output"),
        *("str", "type", *keyword.kwlist),
    }
)


def load_tiers(root: Path) -> tuple[TierSettings, ...]:
    """Read every tier of a project that has to be right as a whole.

    Args:
        root: The project's folder.

    Raises:
        ConfigurationError: A tier is wrong; all problems of all files at once.
    """
    tiers = read_tiers(root)
    if tiers.broken:
        raise ConfigurationError("\n".join(each.text() for each in tiers.broken))
    return tiers.good


def read_tiers(root: Path) -> Tiers:
    """Read every tier of a project.

    Args:
        root: The project's folder, which relative paths in a tier's settings start from.

    Raises:
        ConfigurationError: There is no project.
    """
    good: list[tuple[Path, TierSettings]] = []
    broken: list[BrokenTier] = []
    for found in _files_below(project_at(root).defs, ()):
        if isinstance(found, BrokenTier):
            broken.append(found)
            continue
        for tier in _tiers_in(found, root):
            if isinstance(tier, BrokenTier):
                broken.append(tier)
            else:
                good.append((found, tier))
    alone, twice = _told_apart(good)
    return Tiers(
        good=tuple(sorted(alone, key=lambda tier: tier.name)),
        broken=tuple(_with_own_names([*broken, *twice], {tier.name for tier in alone})),
    )


def _files_below(folder: Path, above: tuple[Path, ...]) -> Iterator[Path | BrokenTier]:
    """Return the files of components below a folder, as Dagster finds them."""
    try:
        real = folder.resolve(strict=True)
        # By their names: of a link that leads nowhere no other question has an answer.
        names = sorted(each.name for each in folder.iterdir())
    except (OSError, RuntimeError) as error:
        if above:  # without a defs folder there are no tiers
            yield _unreadable(folder, error)
        return
    if any(real == one or real in one.parents for one in above):
        yield _broken(folder, "it is a link to a folder above it, without end. Remove the link.")
        return
    own = next((folder / name for name in FILES if name in names), None)
    if own is not None:
        yield own
        if not _holds_folders(own):
            return
    for name in names:
        below = folder / name
        if name != "__pycache__" and not name.startswith(".") and _may_be_folder(below):
            yield from _files_below(below, (*above, real))


def _may_be_folder(path: Path) -> bool:
    try:
        return path.is_dir() or (path.is_symlink() and not path.exists())
    except OSError:
        return True


def _holds_folders(file: Path) -> bool:
    """Whether a file says something of the folders beside it, which have files of their own."""
    try:
        documents = read_documents(file)
    except SourceError:
        return False
    return any(
        is_object(each.value) and _FOLDERS.fullmatch(str(each.value.get("type")))
        for each in documents
    )


def _unreadable(folder: Path, error: Exception) -> BrokenTier:
    why = error.strerror if isinstance(error, OSError) else "a link that leads to itself"
    return _broken(folder, f"it cannot be read: {why}. Mend the link or the permissions.")


def _broken(path: Path, *messages: str) -> BrokenTier:
    return BrokenTier(path.name, path, tuple(Problem(message) for message in messages))


def _tiers_in(path: Path, root: Path) -> Iterator[TierSettings | BrokenTier]:
    """Return the tiers of a file; none where it defines something else."""
    folder = path.parent.name
    try:
        documents = read_documents(path)
    except SourceError as error:
        yield BrokenTier(folder, path, (Problem(str(error), line=error.line),))
        return
    if not documents:
        yield BrokenTier(folder, path, (Problem(f"it is empty. {_WRITE}"),))
    for document in documents:
        tier = _tier_of(document, root)
        if isinstance(tier, tuple):
            yield BrokenTier(_name_in(document) or folder, path, tier)
        elif tier is not None:
            yield tier


_WRITE = f"Write `type: {TYPE}` and `attributes:`, or remove the file."


def _tier_of(document: Document, root: Path) -> TierSettings | tuple[Problem, ...] | None:
    """Return a document's tier, or what is wrong with it; None where it is something else."""
    value = document.value
    if not is_object(value):
        return (Problem(f"it holds no mapping. {_WRITE}", line=document.line_of(())),)
    kind = value.get("type")
    if kind not in _TYPES:
        wrong = _wrong_type(kind)
        return (_problem(document, ("type",), wrong),) if wrong else None
    problems = [
        _problem(document, (str(key),), no_such_setting(str(key), _KEYS))
        for key in value
        if key not in _KEYS
    ]
    if "attributes" not in value:
        return (*problems, Problem("missing. Write the tier's settings below it.", "attributes"))
    try:
        tier = TierSettings.model_validate(value["attributes"])
    except ValidationError as error:
        found = wording.sentences_of(error)
    else:
        found = [wording.located(each) for each in _missing(tier, root)]
        found += [(("name",), each) for each in _wrong_names(tier.name)]
        if not found and not problems:
            return tier
    problems += (_problem(document, ("attributes", *place), words) for place, words in found)
    return tuple(dict.fromkeys(problems))


def _missing(tier: TierSettings, root: Path) -> Sequence[str]:
    try:
        return references.problems_in(tier, root)
    except OSError as error:
        return (f"a file that it names cannot be looked at: {error}. Mend its path.",)


def _problem(document: Document, place: Sequence[int | str], words: str) -> Problem:
    field = wording.field_of(place[1:] if place[0] == "attributes" else place)
    return Problem(words, field or "attributes", document.line_of(place))


def _wrong_type(kind: object) -> str | None:
    if kind is None:
        return f"missing. {_WRITE}"
    if not isinstance(kind, str):
        return f"{kind!r} is no name of a component. {_WRITE}"
    if "." not in kind or kind.startswith("floe_tests."):
        return f"there is no component {kind!r}.{wording.meant(kind, [TYPE])} {_WRITE}"
    return None


def _wrong_names(name: str) -> Iterator[str]:
    if name in OWN_JOBS:
        yield f"{name!r} is a job that every project has. Choose another name."
    if name.replace("-", "_") in _NO_NAMES:
        yield f"{name!r} is a word that Dagster takes for no name. Choose another."


def _name_in(document: Document) -> str | None:
    value = document.value
    attributes = value.get("attributes") if is_object(value) else None
    name = attributes.get("name") if is_object(attributes) else None
    return name if isinstance(name, str) and re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) else None


def _told_apart(
    found: Sequence[tuple[Path, TierSettings]],
) -> tuple[list[TierSettings], list[BrokenTier]]:
    """Return the tiers, one of each name, and those whose name another has.

    The name is that of the tier whose folder is called so: who copies a folder to begin a new tier
    does not change the old one.
    """
    owners: dict[str, tuple[Path, TierSettings]] = {}
    twice: list[BrokenTier] = []
    for file, tier in sorted(found, key=lambda each: each[0].parent.name != each[1].name):
        if tier.name not in owners:
            owners[tier.name] = file, tier
            continue
        message = (
            f"{tier.name!r} is the name of the tier in {owners[tier.name][0].parent.name}/ too. "
            "Give this one another."
        )
        twice.append(BrokenTier(tier.name, file, (Problem(message, "name"),)))
    return [tier for _, tier in owners.values()], twice


def _with_own_names(broken: Iterable[BrokenTier], taken: set[str]) -> Iterator[BrokenTier]:
    """Give each a name that a job can have and that no other has."""
    used = {name.replace("-", "_") for name in (*taken, *OWN_JOBS)}
    for each in sorted(broken, key=lambda one: (one.name, str(one.file))):
        names = (each.name, each.file.parent.name, f"{each.name}-{each.file.parent.name}")
        told = [re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "tier" for name in names]
        numbered = (f"{told[0]}-{number}" for number in range(2, 1 + len(used) + 2))
        free = (name for name in (*told, *numbered) if _job_of(name) not in used | _NO_NAMES)
        name = next(free)
        used.add(_job_of(name))
        yield replace(each, name=name)


def _job_of(name: str) -> str:
    return name.replace("-", "_")


def platforms_of(
    tiers: Iterable[TierSettings], clusters: Sequence[ClusterAccess] = ()
) -> tuple[tuple[ClusterAccess, str], ...]:
    """Return where the installed platforms of tiers may be, by cluster and namespace.

    Args:
        tiers: The tiers.
        clusters: Clusters beside those that the tiers name.
    """
    return tuple(
        dict.fromkeys(
            (access, tier.installed.namespace)
            for tier in tiers
            if tier.installed is not None
            for access in (
                description_of(tier.environments[0]).access(tier),
                *clusters,
            )
        )
    )
