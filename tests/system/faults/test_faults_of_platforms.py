"""What a tier installs and does not come up, or does not survive a change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from floe_tests.core.verdict import Cause
from floe_tests.results.formats import junit

from ..conftest import job  # noqa: TID252 - suites are folders, not packages
from .bench import FaultBench

GREEN = "def test_passes(): pass"
WORKS = "touch /tmp/ready; sleep 1000"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: engine
  labels: {app.kubernetes.io/instance: broken, app.kubernetes.io/component: engine}
spec:
  selector: {matchLabels: {app: engine}}
  template:
    metadata:
      labels: {app: engine, app.kubernetes.io/instance: broken, app.kubernetes.io/component: engine}
    spec:
      terminationGracePeriodSeconds: 0
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: engine
          {{- $prefix := (.Values.global | default dict).imageRegistryPrefix | default "" }}
          image: {{ $prefix }}ghcr.io/floe/test-runner:0.1.0
          command: [sh, -c, "COMMAND"]
          readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
          resources: {limits: {cpu: 100m, memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


def release(bench: FaultBench, command: str, *, ready_seconds: float) -> dict[str, object]:
    """Write a chart whose one pod runs a command, and give the tier's release of it."""
    chart = bench.tier.root / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: broken\nversion: 0.1.0\n")
    (chart / "templates" / "engine.yaml").write_text(DEPLOYMENT.replace("COMMAND", command))
    return {"name": "broken", "chart": "chart", "ready_seconds": ready_seconds}


def test_a_pod_that_crashes(bench: FaultBench) -> None:
    broken = release(bench, "echo the engine lost its key >&2; exit 7", ready_seconds=120)
    published = bench.run(job(GREEN), releases=[broken])

    bench.judge(
        "platform pod crashes",
        published,
        Cause.PLATFORM_FAIL,
        "engine did not come up",
        "the engine lost its key",
        "exit code 7",
    )
    assert [case.name for case in junit.read(published.junit)] == [
        "floe_tests.small::PLATFORM_FAIL"
    ]
    (log,) = (published.directory / "platform-logs").glob("engine-*-engine.previous.log")
    assert log.read_text() == "the engine lost its key\n"


@pytest.mark.thorough
def test_a_pod_that_is_never_ready(bench: FaultBench) -> None:
    broken = release(bench, "echo still waiting for the sun; sleep 1000", ready_seconds=8)
    published = bench.run(job(GREEN), releases=[broken])

    bench.judge(
        "Helm timeout: never ready",
        published,
        Cause.PLATFORM_FAIL,
        "not ready within 8 s",
        "still waiting for the sun",
    )


@pytest.mark.thorough
def test_a_hook_that_fails(bench: FaultBench) -> None:
    broken = release(bench, WORKS, ready_seconds=60)
    hook = DEPLOYMENT.replace("COMMAND", "exit 3").replace("apps/v1", "batch/v1")
    (bench.tier.root / "chart" / "templates" / "hook.yaml").write_text(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n"
        '  annotations: {"helm.sh/hook": post-install}\nspec:\n  backoffLimit: 0\n'
        "  template:\n"
        + hook[hook.index("    metadata:\n") : hook.index("          readinessProbe")]
        + hook[hook.index("          resources") :].rstrip()
        + "\n      restartPolicy: Never\n"
    )
    published = bench.run(job(GREEN), releases=[broken])

    bench.judge("Helm hook fails", published, Cause.PLATFORM_FAIL, "hook")


@pytest.mark.thorough
def test_an_image_that_is_not_there(bench: FaultBench) -> None:
    """The registry says so at the first pull: nobody waits for more."""
    broken = release(bench, WORKS, ready_seconds=120)
    template = bench.tier.root / "chart" / "templates" / "engine.yaml"
    template.write_text(template.read_text().replace("test-runner:0.1.0", "no-such:9"))
    published = bench.run(job(GREEN), releases=[broken])

    bench.judge(
        "platform image missing",
        published,
        Cause.PLATFORM_FAIL,
        "engine did not come up",
        "no-such:9",
        "ErrImagePull",
    )
    assert published.seconds < 120, "it waited for the deadline"


@pytest.mark.thorough
def test_no_storage(bench: FaultBench) -> None:
    broken = release(bench, WORKS, ready_seconds=120)
    templates = bench.tier.root / "chart" / "templates"
    engine = (templates / "engine.yaml").read_text()
    claim = "      volumes: [{name: data, persistentVolumeClaim: {claimName: engine-data}}]\n"
    (templates / "engine.yaml").write_text(
        engine.replace("      containers:\n", f"{claim}      containers:\n")
    )
    (templates / "claim.yaml").write_text(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: engine-data}\n"
        "spec:\n  accessModes: [ReadWriteOnce]\n  storageClassName: no-such-class\n"
        "  resources: {requests: {storage: 1Gi}}\n"
    )
    published = bench.run(job(GREEN), releases=[broken])

    bench.judge(
        "no storage for the platform",
        published,
        Cause.PLATFORM_FAIL,
        "engine did not come up",
        "engine-data",
        "no-such-class",
    )
    assert published.seconds < 120, "it waited for the deadline"


def test_pods_that_are_refused(bench: FaultBench) -> None:
    """No pod ever exists: the workload alone knows why."""
    broken = release(bench, WORKS, ready_seconds=120)
    template = bench.tier.root / "chart" / "templates" / "engine.yaml"
    template.write_text(template.read_text().replace("memory: 64Mi", "memory: 64Gi"))
    published = bench.run(job(GREEN), releases=[broken])

    bench.judge(
        "platform pods refused by the quota",
        published,
        Cause.CONFIG,
        "engine did not come up",
        "exceeded quota",
        "budget.memory",
    )
    assert published.seconds < 120, "it waited for the deadline"


@pytest.mark.thorough
def test_an_upgrade_that_does_not_come_up(bench: FaultBench) -> None:
    """The suite before it keeps its results; the one that needs the upgrade does not run."""
    good = release(bench, WORKS, ready_seconds=60)
    template = bench.tier.root / "chart" / "templates" / "engine.yaml"
    template.write_text(
        template.read_text().replace(WORKS, "{{ .Values.command | default `" + WORKS + "` }}")
    )
    change: dict[str, Any] = {
        "release": "broken",
        "action": "upgrade",
        "values": {"command": "echo the engine forgot its name >&2; exit 9"},
    }
    suites = [
        {"name": "suite", "job": "test-job.yaml"},
        {"name": "upgraded", "job": "test-job.yaml", "before": change},
    ]
    published = bench.run(job(GREEN), releases=[good], suites=suites)

    before, after = published.suites
    assert (before.verdict.cause, before.results.tally.passed) == (Cause.PASS, 1)
    assert (after.verdict.cause, after.attempts) == (Cause.PLATFORM_FAIL, ())
    bench.judge(
        "upgrade of the platform fails",
        replace(published, suites=(after,)),
        Cause.PLATFORM_FAIL,
        "engine did not come up",
        "the engine forgot its name",
        "exit code 9",
    )
