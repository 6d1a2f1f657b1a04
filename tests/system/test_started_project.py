"""A project as `floe-tests init` begins it, on a chart of others: green, then red."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .conftest import CLUSTER

CHART = "apiVersion: v2\nname: shop-front\nversion: 0.3.0\n"
VALUES = "image: library/python:3.11-slim\nport: 9898\ntarget: http\n"
# Labels of its own, no limits, and more rights than `restricted` gives: as many public charts are.
TEMPLATE = """\
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-web, labels: {app: front}}
spec:
  selector: {app: front, part: web}
  ports: [{name: http, port: {{ .Values.port }}, targetPort: {{ .Values.target }}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, labels: {app: front}}
spec:
  selector: {matchLabels: {app: front, part: web}}
  template:
    metadata: {labels: {app: front, part: web}}
    spec:
      containers:
        - name: web
          image: {{ .Values.image }}
          command: [python, -m, http.server, "8080", --directory, /tmp]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
"""


def floe_tests(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOE_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("floe-tests")), *words],
        cwd=folder,
        env={**kept, "DAGSTER_HOME": str(folder / "dagster_home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def verdict(folder: Path) -> dict[str, object]:
    return json.loads((folder / "output" / "smoke" / "verdict.json").read_text())


def test_it_is_green_as_it_is_and_red_when_the_service_leads_nowhere(
    tmp_path: Path, kubeconfig: Path
) -> None:
    del kubeconfig  # the session's cluster is there
    chart, folder = tmp_path / "shop" / "chart", tmp_path / "my tests"
    (chart / "templates").mkdir(parents=True)
    folder.mkdir()
    (chart / "Chart.yaml").write_text(CHART)
    (chart / "values.yaml").write_text(VALUES)
    (chart / "templates" / "all.yaml").write_text(TEMPLATE)

    begun = floe_tests(folder, "init", "--chart", "../shop/chart")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    settings = folder / "shop_front_tests" / "defs" / "smoke" / "defs.yaml"
    settings.write_text(f"{settings.read_text()}  kind: {{cluster: {CLUSTER}}}\n")

    green = floe_tests(folder, "run", "smoke", "-e", "kind")
    assert green.returncode == 0, green.stdout + green.stderr
    assert (verdict(folder)["cause"], verdict(folder)["passed"]) == ("PASS", 3)

    (chart / "values.yaml").write_text(VALUES.replace("target: http", "target: 9999"))
    red = floe_tests(folder, "run", "smoke", "-e", "kind")
    assert red.returncode == 1, red.stdout + red.stderr
    assert verdict(folder)["cause"] == "TEST_FAILURE"
    assert "test_a_service_answers[shop-front-web:9898]" in red.stdout
