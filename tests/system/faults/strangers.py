"""A chart of podinfo's shape: none of its labels is one that helm's authors agreed on."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

# What Pod Security `restricted` asks for; a chart from elsewhere may have none of it.
SECURE_POD = """
securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
"""
SECURE = "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}"
IMAGE = (
    '{{ (.Values.global | default dict).imageRegistryPrefix | default "" }}'
    "ghcr.io/floe/test-runner:0.1.0"
)


def pod(command: str, *, secure: bool = True, probe: str = "", restart: str = "Always") -> str:
    """Return a pod's template: one container that runs a command."""
    context = f"          securityContext: {SECURE}\n" if secure else ""
    probed = f"          readinessProbe: {probe}\n" if probe else ""
    return (
        "  template:\n"
        "    metadata:\n"
        "      labels: {app.kubernetes.io/name: {{ .Chart.Name }}}\n"
        "    spec:\n"
        f"      restartPolicy: {restart}\n"
        "      terminationGracePeriodSeconds: 0\n"
        + (indent(SECURE_POD.strip() + "\n", "      ") if secure else "")
        + "      containers:\n"
        "        - name: podinfo\n"
        f"          image: {IMAGE}\n"
        f'          command: [sh, -c, "{command}"]\n'
        "          resources: {limits: {cpu: 100m, memory: 64Mi}}\n" + probed + context
    )


def deployment(command: str, *, secure: bool = True, probe: str = "") -> str:
    """Return a Deployment whose name is not the release's, as fullnameOverride makes it."""
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: podinfo\n"
        "  labels: {app.kubernetes.io/name: podinfo}\nspec:\n"
        "  selector: {matchLabels: {app.kubernetes.io/name: podinfo}}\n"
        + pod(command, secure=secure, probe=probe)
    )


def hook(command: str, events: str) -> str:
    """Return a hook Job that helm takes away once it has failed."""
    return (
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: podinfo-migrate\n"
        f"  annotations: {{helm.sh/hook: {events}, helm.sh/hook-delete-policy: hook-failed}}\n"
        "spec:\n  backoffLimit: 0\n" + pod(command, restart="Never")
    )


def write_chart(root: Path, *templates: str, ready_seconds: float) -> dict[str, object]:
    """Write a chart, and give the tier's release of it."""
    chart = root / "stranger"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: podinfo\nversion: 6.9.0\n")
    for number, template in enumerate(templates):
        (chart / "templates" / f"{number}.yaml").write_text(template)
    return {"name": "strangers", "chart": "stranger", "ready_seconds": ready_seconds}
