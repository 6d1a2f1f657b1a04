"""What became of the platform's pods during the suites: looked at after each, told at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from floe_tests.config.suite import SuiteSettings
from floe_tests.core.evidence import Evidence
from floe_tests.environments.lease import Lease
from floe_tests.kube.client import Kube
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.entries import RunEntries
from floe_tests.pipeline.records import InstalledPlatform
from floe_tests.platform.since_ready import SeenPod, look

_Pods = Mapping[str, tuple[SeenPod, ...]]


def look_after(run: RunContext, lease: Lease, suite: SuiteSettings) -> None:
    """Look at the pods of the run's releases once a suite is over, and write down what was found.

    Args:
        run: The run.
        lease: Its environment.
        suite: The suite that has just ended.
    """
    platform = run.entries.platform()
    if platform is None or lease.access is None or not platform.releases:
        return
    found = look(Kube(lease.access), _pods_before(run, platform, suite))
    run.entries.write_look(suite.name, found)
    for fact in found.found:
        run.log(f"after suite {suite.name}: {fact}")


def found_after(entries: RunEntries, suites: tuple[SuiteSettings, ...]) -> Iterator[Evidence]:
    """Yield what was found after each suite, in order.

    Args:
        entries: The run's entries.
        suites: Its suites.
    """
    for suite in suites:
        known = entries.look(suite.name)
        for fact in known.found if known else ():
            yield replace(fact, field=f"{fact.field} (after suite {suite.name})")


def _pods_before(run: RunContext, platform: InstalledPlatform, suite: SuiteSettings) -> _Pods:
    """Return the pods of each release as the last change or the last look has left them."""
    pods = {release.name: release.pods for release in platform.releases}
    for each in run.state().suites():
        changes = (change.release for change in platform.changes if change.suite == each.name)
        pods |= {release.name: release.pods for release in changes}
        if each.name == suite.name:
            break
        known = run.entries.look(each.name)
        if known is not None:
            pods |= dict(known.releases)
    return pods
