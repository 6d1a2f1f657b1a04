"""Programs on PATH, and a small HTTP server that is a registry or a cluster."""

from __future__ import annotations

from tests.support.doctor import kube, kubeconfig, programs, server, workspace

__all__ = ["kube", "kubeconfig", "programs", "server", "workspace"]
