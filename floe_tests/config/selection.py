"""Which of a tier's suites a run wants, which of their tests, and with which variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from floe_tests.config import groups
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.config.wording import meant
from floe_tests.core.errors import ConfigurationError


@dataclass(frozen=True)
class Selection:
    """What a run chooses: among a tier's tests, by pytest markers, and their variables.

    Attributes:
        groups: Only tests with one of these markers; empty for all.
        excluded_groups: No tests with one of these markers.
        variables: Variables of the test containers, over those of the suites.
    """

    groups: tuple[str, ...] = ()
    excluded_groups: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def suites_of(self, tier: TierSettings) -> tuple[SuiteSettings, ...]:
        """Return the suites that have tests to run, each narrowed to what was chosen.

        A suite's own groups stay in force: of a suite with groups a run can choose some, and one
        that has none of those that a run chooses is left out.

        Raises:
            ConfigurationError: None is left, or a group is none.
        """
        problems = groups.problems_of((*self.groups, *self.excluded_groups))
        if problems:
            raise ConfigurationError("groups of the run: " + " ".join(problems))
        chosen = tuple(self._narrowed(tier.suites))
        if not chosen:
            asked = ", ".join(self.groups) or "all"
            without = ", ".join(self.excluded_groups)
            known = {
                name for suite in tier.suites for name in (*suite.groups, *suite.excluded_groups)
            }
            close = "".join(meant(name, known) for name in self.groups if name not in known)
            message = (
                f"groups {asked}{f' without {without}' if without else ''} choose no suite of tier "
                f"{tier.name}.{close} Its suites name the groups {', '.join(sorted(known))}."
            )
            raise ConfigurationError(message)
        return chosen

    def _narrowed(self, suites: tuple[SuiteSettings, ...]) -> Iterator[SuiteSettings]:
        for suite in suites:
            excluded = dict.fromkeys((*suite.excluded_groups, *self.excluded_groups))
            both = tuple(name for name in suite.groups if name in self.groups)
            groups = both if suite.groups and self.groups else suite.groups or self.groups
            wanted = [name for name in groups if name not in excluded]
            if wanted or not (suite.groups or self.groups):
                yield suite.model_copy(
                    update={"groups": groups, "excluded_groups": tuple(excluded)}
                )


def selected(suite: SuiteSettings) -> str:
    """Return which tests a suite was narrowed to, the same for the same groups; empty for all."""
    wanted, left_out = sorted(set(suite.groups)), sorted(set(suite.excluded_groups))
    words = [" or ".join(wanted)] if wanted else []
    return ", ".join([*words, *(f"without {name}" for name in left_out)])


def release_values(
    suites: tuple[SuiteSettings, ...], release: str
) -> Iterator[Mapping[str, object]]:
    """Return the values that the chosen suites need of a release, in order."""
    return (suite.release_values[release] for suite in suites if release in suite.release_values)
