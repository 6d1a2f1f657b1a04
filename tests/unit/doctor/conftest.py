"""Programs on PATH, and a small HTTP server that is a registry or a cluster."""

from __future__ import annotations

from tests.support.doctor import kube, kubeconfig, programs, server, workspace
from tests.support.small_cluster import cluster

__all__ = ["cluster", "kube", "kubeconfig", "programs", "server", "workspace"]
