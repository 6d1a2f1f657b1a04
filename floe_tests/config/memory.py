"""A suite's memory by its pod's own limits: what bounds a run where no quota is its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from floe_tests.config.test_job import EXPORTER_MEMORY, load_template
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.kube.quantity import MIB, quantity


def check_memory(tier: TierSettings, root: Path) -> None:
    """Make sure that no suite's pod can use more than the tier's budget.

    Args:
        tier: The tier, whose suites run one after the other.
        root: The project's folder.

    Raises:
        ConfigurationError: A container has no limit, or a pod's limits are more than the budget;
            all problems at once.
    """
    budget = tier.budget
    problems: list[str] = []
    for index, suite in enumerate(tier.suites):
        if suite.job is None:
            continue
        document = load_template(root / suite.job).document
        beside = _beside_each_other(part(document, "spec", "template", "spec"))
        without = [str(one["name"]) for one in beside if not _limit(one)]
        memory_mib = sum(_limit(one) for one in beside) / MIB + quantity(EXPORTER_MEMORY) / MIB
        where = f"suites[{index}].job: {suite.job}"
        if without:
            problems.append(
                f"{where}: container {', '.join(without)} has no resources.limits.memory, and the "
                "installed platform's namespace has no quota for a run. Write one."
            )
        elif memory_mib > budget.memory_mib:
            problems.append(
                f"{where}: its containers may use {memory_mib:.0f} MiB, the exporter's "
                f"{EXPORTER_MEMORY} included; budget.memory is {budget.memory}. Lower the limits "
                "or raise the budget."
            )
    if problems:
        raise ConfigurationError("\n".join(problems))


def _beside_each_other(pod: Mapping[str, Any]) -> list[JsonObject]:
    sidecars = [one for one in parts(pod, "initContainers") if one.get("restartPolicy") == "Always"]
    return [*parts(pod, "containers"), *sidecars]


def _limit(container: JsonObject) -> float:
    return quantity(part(container, "resources", "limits").get("memory") or 0)
