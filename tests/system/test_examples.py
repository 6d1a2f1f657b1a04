"""The tests of examples/charts, on charts in the shapes that public charts have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

from floe_tests.core.verdict import Cause

from .conftest import ROOT, SmallTier

EXAMPLE = ROOT / "examples" / "charts"
# As podinfo: one label of its own, no instance, a pod for `helm test`.
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1 # a program that no shell starts hears no SIGTERM
      securityContext: {{ toYaml .Values.security | nindent 8 }}
      containers:
        - name: web
          image: library/python:3.11-slim
          command: [python, -m, http.server, "8080", --directory, /usr/share]
          readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
          ports: [{name: http, containerPort: 8080}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Pod
metadata:
  name: web-test
  annotations: {helm.sh/hook: test}
spec:
  restartPolicy: Never
  containers: [{name: test, image: example.com/never-pulled:1}]
"""
# As charts of databases: a StatefulSet with volumes behind a headless Service, a hook before the
# installation, a resource of an own kind.
STORE = """
apiVersion: batch/v1
kind: Job
metadata:
  name: store-prepare
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      securityContext: {{ toYaml .Values.security | nindent 8 }}
      containers:
        - name: prepare
          image: {{ .Values.registry }}library/python:3.11-slim
          command: [python, -c, pass]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {role: store}}
  template:
    metadata: {labels: {role: store}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1 # a program that no shell starts hears no SIGTERM
      securityContext: {{ toYaml .Values.security | nindent 8 }}
      containers:
        - name: store
          image: library/python:3.11-slim
          command: [python, -m, http.server, "6379", --directory, /data]
          readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
          ports: [{name: store, containerPort: 6379}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec:
  clusterIP: None
  selector: {role: store}
  ports: [{name: store, port: 16379, targetPort: store}]
---
apiVersion: example.com/v1
kind: Basket
metadata: {name: first}
spec: {size: 3}
"""
KIND = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: baskets.example.com}
spec:
  group: example.com
  names: {kind: Basket, plural: baskets}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
VALUES = """
registry: ""
security:
  {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
"""


def write_chart(folder: Path, templates: str, *, kind: str = "") -> None:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {folder.name}\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text(VALUES)
    (folder / "templates" / "all.yaml").write_text(templates)
    if kind:
        (folder / "crds").mkdir()
        (folder / "crds" / "kind.yaml").write_text(kind)


def test_charts_in_the_shapes_of_public_ones_are_watched_and_answer(
    small_tier: SmallTier, kubeconfig: Path
) -> None:
    write_chart(small_tier.root / "web", WEB)
    write_chart(small_tier.root / "store", STORE, kind=KIND)
    shutil.copytree(EXAMPLE / "suite", small_tier.root / "suite")

    try:
        published = small_tier.run(
            yaml.safe_load((EXAMPLE / "test-job.yaml").read_text()),
            releases=[
                {"name": "web", "chart": "web"},
                {"name": "store", "chart": "store", "image_values": {"registry": "{prefix}"}},
            ],
            suites=[
                {
                    "name": "release",
                    "job": "test-job.yaml",
                    "mounted": {"folder": "suite", "pytest": True},
                }
            ],
            budget={"memory": "2Gi", "container_memory": "128Mi", "minutes": 5},
        )
    finally:
        # helm leaves the kinds of a chart's `crds`, and so does a run on a cluster that stays.
        delete = ["kubectl", "delete", "crd", "baskets.example.com", "--ignore-not-found"]
        subprocess.run([*delete, f"--kubeconfig={kubeconfig}"], check=True, timeout=60)

    assert published.verdict.cause is Cause.PASS, published.verdict
    (suite,) = published.suites
    assert {case.name.partition("::")[2] for case in suite.results.cases} == {
        "test_a_service_answers[web:80]",
        "test_a_service_answers[store:6379]",
        "test_the_release_is_there_as_helm_installed_it[web]",
        "test_the_release_is_there_as_helm_installed_it[store]",
    }
