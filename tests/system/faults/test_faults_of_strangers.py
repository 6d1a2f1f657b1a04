"""Charts from elsewhere: what helm installed is what is watched, whatever its labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from floe_tests.core.verdict import Cause
from floe_tests.pipeline.published import PublishedRun

from ..conftest import job  # noqa: TID252 - suites are folders, not packages
from .bench import FaultBench
from .strangers import deployment, hook, write_chart

GREEN = "def test_passes(): pass"
NEVER = "{exec: {command: [test, -e, /tmp/never]}, periodSeconds: 1}"
SERVES = "sleep 1000"


def run(bench: FaultBench, *templates: str, seconds: float = 120, **tier: object) -> PublishedRun:
    release = write_chart(bench.tier.root, *templates, ready_seconds=seconds)
    return bench.run(job(GREEN), releases=[release], **tier)


def test_pods_that_pod_security_refuses(bench: FaultBench) -> None:
    published = run(bench, deployment(SERVES, secure=False))

    bench.judge(
        "stranger's pods refused by Pod Security",
        published,
        Cause.CONFIG,
        "podinfo did not come up",
        'Pod Security "restricted:latest"',
        "allowPrivilegeEscalation != false",
        "`pod_security`",
    )
    assert published.seconds < 30, "it waited for the deadline"


def test_the_same_chart_where_the_tier_lets_it_in(bench: FaultBench) -> None:
    published = run(bench, deployment(SERVES, secure=False), pod_security="baseline")

    assert published.verdict.passed, str(published.verdict)
    assert any("strangers: podinfo-" in line and "ready after" in line for line in bench.tier.log)


@pytest.mark.thorough
def test_a_pod_that_is_never_ready(bench: FaultBench) -> None:
    published = run(bench, deployment("echo no sun yet; sleep 1000", probe=NEVER), seconds=8)

    bench.judge(
        "stranger's pod is never ready",
        published,
        Cause.PLATFORM_FAIL,
        "not ready within 8 s",
        "deployment/podinfo has 0 of 1 pods ready",
        "no sun yet",
    )


@pytest.mark.thorough
def test_a_pod_that_crashes(bench: FaultBench) -> None:
    published = run(bench, deployment("echo lost its key >&2; exit 7"))

    bench.judge(
        "stranger's pod crashes",
        published,
        Cause.PLATFORM_FAIL,
        "podinfo did not come up",
        "exit code 7",
        "lost its key",
    )
    assert published.seconds < 120, "it waited for the deadline"


@pytest.mark.thorough
def test_a_hook_that_fails_and_is_taken_away(bench: FaultBench) -> None:
    failing = hook("echo the schema is newer >&2; exit 3", "pre-install")
    published = run(bench, deployment(SERVES), failing)

    bench.judge(
        "stranger's hook fails",
        published,
        Cause.PLATFORM_FAIL,
        "podinfo-migrate",
        "exit code 3",
        "the schema is newer",
    )
    assert published.seconds < 60, "it waited for the deadline"


def test_a_release_of_which_nothing_can_be_watched(bench: FaultBench) -> None:
    quiet = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: quiet}\n"
    published = run(bench, quiet)

    assert published.verdict.passed
    assert "nothing of it can be watched (ConfigMap)" in str(published.platform_notes[0])
    assert any("installed, with nothing to watch" in line for line in bench.tier.log)


@contextmanager
def silent_webhook(bench: FaultBench) -> Iterator[None]:
    """Have pods of runs admitted by a webhook that nobody serves."""
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "gate.example.com"},
        "webhooks": [
            {
                "name": "pods.gate.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 2,
                "clientConfig": {"service": {"name": "gate", "namespace": "default"}},
                "namespaceSelector": {
                    "matchExpressions": [{"key": "floe-tests/run", "operator": "Exists"}]
                },
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["pods"],
                        "operations": ["CREATE"],
                    }
                ],
            }
        ],
    }
    file = bench.tier.root.parent / "webhook.json"
    file.write_text(json.dumps(hook))
    bench.kubectl("apply", "--filename", str(file))
    try:
        yield
    finally:
        bench.kubectl("delete", "--filename", str(file))


@pytest.mark.thorough
def test_a_webhook_that_does_not_answer(bench: FaultBench) -> None:
    with silent_webhook(bench):
        published = run(bench, deployment(SERVES))

    bench.judge(
        "admission webhook does not answer",
        published,
        Cause.INFRA_CLUSTER,
        'webhook "pods.gate.example.com", which does not answer',
    )
    assert published.seconds < 60, "it waited for the deadline"
