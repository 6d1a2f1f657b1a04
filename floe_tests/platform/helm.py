"""Helm releases: installed, upgraded and rolled back by helm, watched by this project."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from floe_tests.config.environment import NEWEST_KUBERNETES
from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseChangeSettings, ReleaseSettings
from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import (
    ConfigurationError,
    FloeTestsError,
    InfrastructureError,
    ProgramError,
)
from floe_tests.core.words import listed
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.platform import rollout
from floe_tests.platform.charts import build_dependencies, chart_words, prefix_words
from floe_tests.platform.record import Record, newest_record, outside_of
from floe_tests.platform.rollout import Up
from floe_tests.platform.since_ready import SeenPod, seen
from floe_tests.platform.substitutes import merged
from floe_tests.platform.target import Target
from floe_tests.platform.troubles import images_of

# What `check` renders releases for: their own namespace is not there yet.
RENDERED_NAMESPACE = "default"
_RENDER_SECONDS = 60.0
_SHOWN_OUTSIDE = 8
# A registry that does not answer, in the words of Go's network library and of HTTP.
_UNREACHABLE = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake timeout|connection reset|"
    r"context deadline exceeded|unexpected status[^\n]*: 5\d\d|response status code 5\d\d"
)


@dataclass(frozen=True)
class InstalledRelease:
    """A release that is up.

    Attributes:
        name: Name of the release.
        chart: Name of its chart.
        version: Version of its chart.
        app_version: Version of what the chart installs.
        namespace: Where it is.
        images: Image → digest, as the pods report them.
        seconds: From the call of helm to everything ready.
        revision: helm's number of it; every upgrade and rollback counts one up.
        notes: What a reader should know: what in it is not waited for, and what cannot be seen.
        pods: Its pods when it was ready.
    """

    name: str
    chart: str
    version: str
    app_version: str
    namespace: str
    images: tuple[tuple[str, str], ...]
    seconds: float
    revision: int = 1
    notes: tuple[str, ...] = ()
    pods: tuple[SeenPod, ...] = ()


def check(
    release: ReleaseSettings, *, kube_version: str | None, workspace: Workspace, directory: Path
) -> str:
    """Render a release, before any cluster is there for it.

    Args:
        release: The tier's settings for it.
        kube_version: Version of the cluster that it is for; None takes the newest known.
        workspace: Folders and registry prefix.
        directory: Where its values are kept.

    Returns:
        Its manifests, YAML.

    Raises:
        ConfigurationError: Helm refuses the chart or its values.
        InfrastructureError: The chart's registry does not answer.
    """
    target = Target(ClusterAccess(), RENDERED_NAMESPACE, workspace, directory, log=_quiet)
    command = _chart_and_values(release, target)
    # helm's own default is that of its build, which may be years old.
    command += ["--kube-version", kube_version or NEWEST_KUBERNETES]
    try:
        return program.run(["helm", "template", *command], deadline=Deadline(_RENDER_SECONDS))
    except ProgramError as failure:
        words = ["helm", "template", *command]
        error = ProgramError(
            command=_repeatable(words, release, _values_file(release, target)),
            exit_code=failure.exit_code,
            output_tail=failure.output_tail,
        )
        if release.is_remote and _UNREACHABLE.search(error.output_tail):
            message = f"releases: {release.name}: chart {release.chart} cannot be had: {error}"
            raise InfrastructureError(message, evidence=error.evidence) from failure
        message = (
            f"releases: {release.name}: helm refuses chart {release.chart} with these values:\n"
            f"{error.output_tail}\nThe command was `{error.command}`."
        )
        raise ConfigurationError(message) from failure


def _repeatable(words: Sequence[str], release: ReleaseSettings, file: Path) -> str:
    """Return a command with the release's own values in it: their file may be gone by then."""
    index = words.index(str(file))
    if not release.values:
        return shlex.join((*words[: index - 1], *words[index + 1 :]))
    values = shlex.quote(json.dumps(release.values, default=str))
    return f"printf %s {values} | {shlex.join((*words[:index], '-', *words[index + 1 :]))}"


def install(release: ReleaseSettings, target: Target) -> InstalledRelease:
    """Install or upgrade a release and wait until everything in it is ready.

    Args:
        release: The tier's settings for it.
        target: Where it goes.

    Returns:
        What was installed.

    Raises:
        PlatformError: A component did not come up; the message names it and says why.
        ConfigurationError: The cluster's rules refuse a part of it: Pod Security, a quota.
        InfrastructureError: What guards the cluster does not answer, or the chart cannot be had.
    """
    command = ["helm", "upgrade", "--install", *_chart_and_values(release, target)]
    return _roll_out(release, target, command)


def change(
    release: ReleaseSettings, wanted: ReleaseChangeSettings, target: Target
) -> InstalledRelease:
    """Upgrade an installed release with other values, or roll it back, and wait until ready.

    Args:
        release: The tier's settings for it.
        wanted: What to do with it.
        target: Where it is.

    Returns:
        What is installed then.

    Raises:
        PlatformError: helm refused, or a component did not come up.
        ConfigurationError: The cluster's rules refuse a part of it.
        InfrastructureError: What guards the cluster does not answer.
    """
    if wanted.action == "rollback":
        # To the revision before, which is what a person in a hurry does.
        command = ["helm", "rollback", release.name, "--namespace", target.namespace]
        return _roll_out(release, target, [*command, *_cluster_of(target.access)])
    changed = release.model_copy(
        update={
            "values_files": (*release.values_files, *wanted.values_files),
            "values": merged(release.values, wanted.values),
        }
    )
    return _roll_out(release, target, ["helm", "upgrade", *_chart_and_values(changed, target)])


def _roll_out(release: ReleaseSettings, target: Target, command: Sequence[str]) -> InstalledRelease:
    started = monotonic()
    deadline = Deadline(release.ready_seconds)
    # helm itself waits for its hooks alone; no longer than everything may take.
    command = [*command, "--timeout", f"{release.ready_seconds:.0f}s"]
    before = rollout.state_before(release.name, target)
    with program.Program(command, deadline=deadline, log=target.log) as helm:
        up = rollout.wait_until_ready(release.name, target, helm, deadline=deadline, before=before)
    seconds = monotonic() - started
    target.log(f"release {release.name}: {up.shown} in {seconds:.1f} s")
    up = replace(up, notes=(*up.notes, *_outside(release, target)))
    for note in up.notes:
        target.log(f"release {release.name}: {note}")
    return _installed(release, target, up, seconds=seconds)


def _outside(release: ReleaseSettings, target: Target) -> Iterator[str]:
    """Yield what of a release outlives its namespace: a run takes nothing else away."""
    record: Record | None = None
    with contextlib.suppress(FloeTestsError):  # whoever may not read it was told so before
        record = newest_record(Kube(target.access), release.name, namespace=target.namespace)
    objects = outside_of(target.namespace, record.objects) if record else ()
    if objects:
        shown = listed(objects, shown=_SHOWN_OUTSIDE)
        yield (
            f"it has objects outside of {target.namespace}, and a run takes its namespace "
            f"alone away. In a cluster that stays, so do they: {shown}"
        )


def _chart_and_values(release: ReleaseSettings, target: Target) -> list[str]:
    root = target.workspace.root
    if not release.is_remote:
        build_dependencies(root / release.chart, log=target.log)
    target.directory.mkdir(parents=True, exist_ok=True)
    values = _values_file(release, target)
    # JSON, which is YAML too: helm would read an unquoted `1234e56` as a number, and `y` as true.
    values.write_text(json.dumps(release.values, indent=1, default=str) + "\n")
    command = [release.name, *chart_words(release, root), "--namespace", target.namespace]
    for name in release.values_files:
        command += ["--values", str(root / name)]
    command += ["--values", str(values)]
    prefix = target.workspace.image_registry_prefix
    command += prefix_words(release, root, prefix=prefix)
    return [*command, *_cluster_of(target.access)]


def _values_file(release: ReleaseSettings, target: Target) -> Path:
    return target.directory / f"{release.name}-values.yaml"


def _cluster_of(access: ClusterAccess) -> list[str]:
    words: list[str] = []
    if access.kubeconfig:
        words += ["--kubeconfig", access.kubeconfig]
    if access.context:
        words += ["--kube-context", access.context]
    return words


def _installed(
    release: ReleaseSettings, target: Target, up: Up, *, seconds: float
) -> InstalledRelease:
    command = ["helm", "list", "--namespace", target.namespace, "--filter", f"^{release.name}$"]
    text = program.run(
        [*command, "--output", "json", *_cluster_of(target.access)],
        deadline=Deadline(_RENDER_SECONDS),
    )
    listed = json.loads(text)[0]
    chart, _, version = str(listed["chart"]).rpartition("-")
    return InstalledRelease(
        name=release.name,
        chart=chart,
        version=version,
        app_version=str(listed.get("app_version", "")),
        namespace=target.namespace,
        images=images_of(up.pods),
        seconds=seconds,
        revision=int(listed["revision"]),
        notes=up.notes,
        pods=seen(up.pods, namespace=target.namespace),
    )


def _quiet(_line: str) -> None:
    """Rendering says nothing."""
