"""A tier's settings, as its `defs.yaml` writes them.

Everything a team has to say about a tier is checked when it is loaded: a wrong setting stops with
file, field and remedy before anything is created.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from floe_tests.config import consistency
from floe_tests.config.base import ProblemsError
from floe_tests.config.providers import description_of
from floe_tests.config.tier_fields import TierFields


class TierSettings(TierFields):
    """One tier of tests: where it runs, what it installs, which suites, within which limits.

    An environment adds settings of its own, under its name.
    """

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = consistency.problems_in(self)
        if problems:
            raise ProblemsError(problems)
        return self

    @property
    def cluster_name(self) -> str:
        """What runs that must not meet have in common: the installed platform; empty without one.

        The context is in it where the tier names one: two clusters may have the same namespace.
        """
        if self.installed is None:
            return ""
        access = description_of(self.environments[0]).access(self)
        return "/".join(name for name in (access.context, self.installed.namespace) if name)
