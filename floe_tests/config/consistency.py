"""Settings of a tier that must go together: each is right by itself, and the tier could not run."""

from __future__ import annotations

from floe_tests.config.providers import capabilities_of, descriptions
from floe_tests.config.tier_fields import TierFields


def problems_in(tier: TierFields) -> list[str]:
    """Find what in a tier's settings does not go together.

    Returns:
        One sentence a problem, with field and remedy; empty when the tier can run.
    """
    problems = [
        *_repeated("suites", [suite.name for suite in tier.suites]),
        *_repeated("releases", [release.name for release in tier.releases]),
        *_repeated("environments", list(tier.environments)),
        *_without_what_they_need(tier),
        *_of_unknown_releases(tier),
        *_beside_an_installed_platform(tier),
    ]
    if tier.deadlines.tests_seconds > tier.budget.minutes * 60:
        problems.append(
            f"deadlines.tests_seconds: {tier.deadlines.tests_seconds:g} s is more than "
            f"budget.minutes allows ({tier.budget.minutes:g} min). Shorten it or raise the "
            "budget."
        )
    return problems


def _repeated(field: str, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"{field}: {name!r} stands there twice; names must differ." for name in twice]


def _without_what_they_need(tier: TierFields) -> list[str]:
    """Find environments that could not run what the tier has."""
    problems: list[str] = []
    clusters = [name for name in tier.environments if capabilities_of(name).is_cluster]
    others = ", ".join(f"`{name}`" for name in tier.environments if name not in clusters)
    without_job = [suite.name for suite in tier.suites if suite.job is None]
    if clusters and without_job:
        problems.append(
            f"suites: {', '.join(without_job)} have no `job`, and {', '.join(clusters)} need "
            f"one. Give each suite a test-job.yaml, or leave only {_without_cluster()} in "
            "environments."
        )
    if others and tier.releases and tier.embedded is None:
        problems.append(
            f"embedded: missing. The tier installs Helm releases, which {others} cannot; name "
            f"the code of the embedded platform, or take {others} out of environments."
        )
    return problems


def _without_cluster() -> str:
    return " or ".join(f"`{one.name}`" for one in descriptions() if not one.capabilities.is_cluster)


def _of_unknown_releases(tier: TierFields) -> list[str]:
    releases = [release.name for release in tier.releases]
    none_of_them = f"is none of the tier's releases ({', '.join(releases) or 'it has none'})."
    changed = [
        f"suites[{index}].before.release: {suite.before.release!r} {none_of_them}"
        for index, suite in enumerate(tier.suites)
        if suite.before is not None and suite.before.release not in releases
    ]
    given_values = [
        f"suites[{index}].release_values: {name!r} {none_of_them}"
        for index, suite in enumerate(tier.suites)
        for name in suite.release_values
        if name not in releases
    ]
    return changed + given_values


def _beside_an_installed_platform(tier: TierFields) -> list[str]:
    """Find what a tier says that does not go with a platform which is there already."""
    if tier.installed is None:
        triggers = tier.triggers
        if triggers.on_deployment or triggers.after_green is not None:
            message = (
                "triggers: the tier has no `installed` platform whose changes could start it. Add "
                "`installed`, or take `triggers` out."
            )
            return [message]
        return []
    problems = _installs_beside_it(tier, tier.installed.release)
    if not all(capabilities_of(name).can_have_installed for name in tier.environments):
        existing = [one.name for one in descriptions() if one.capabilities.can_have_installed]
        problems.append(
            f"environments: {', '.join(tier.environments)}: an `installed` platform is on an "
            f"existing cluster. Write [{' or '.join(existing)}]."
        )
    problems += _changes_what_others_run(tier, tier.installed.release)
    if tier.triggers.after_green == tier.name:
        problems.append(
            f"triggers.after_green: {tier.name!r} is the tier itself. Name the one it follows."
        )
    return problems


def _installs_beside_it(tier: TierFields, installed: str) -> list[str]:
    problems = [
        f"{field}: does not go with `installed`: release {installed} is installed already, and is "
        "only looked at. Take one of them out."
        for field in ("releases", "embedded")
        if getattr(tier, field)
    ]
    problems += [
        f"{field}: does not go with `installed`: {reason}. Take it out."
        for field, reason in (
            ("namespace", "runs have no namespace of their own; they use installed.namespace"),
            ("pod_security", "installed.namespace has a level of its own"),
            *(
                (name, "the tier runs on an existing cluster")
                for name in tier.model_extra or {}
                if not capabilities_of(name).can_have_installed
            ),
        )
        if field in tier.model_fields_set
    ]
    return problems


def _changes_what_others_run(tier: TierFields, installed: str) -> list[str]:
    problems: list[str] = []
    for index, suite in enumerate(tier.suites):
        if suite.release_values:
            problems.append(
                f"suites[{index}].release_values: does not go with `installed`: release "
                f"{installed} is installed already. Take it out."
            )
        if suite.before is not None:
            problems.append(
                f"suites[{index}].before: does not go with `installed`: others upgrade "
                f"{installed}. Take it out."
            )
    return problems
