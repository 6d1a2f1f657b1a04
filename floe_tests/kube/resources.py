"""Where the API has the objects of each kind."""

from __future__ import annotations

from collections.abc import Mapping

# Kind → API path and plural. Only what this package touches; a new kind is one line.
_RESOURCES: Mapping[str, tuple[str, str]] = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Event": ("/api/v1", "events"),
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Pod": ("/api/v1", "pods"),
    "ReplicationController": ("/api/v1", "replicationcontrollers"),
    "LimitRange": ("/api/v1", "limitranges"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CertificateSigningRequest": ("/apis/certificates.k8s.io/v1", "certificatesigningrequests"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "SelfSubjectAccessReview": ("/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews"),
    "SelfSubjectReview": ("/apis/authentication.k8s.io/v1", "selfsubjectreviews"),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
_CLUSTER_WIDE = frozenset({"Namespace", "Node"})


def path_of(kind: str, namespace: str | None) -> str:
    """Return the path of a kind's objects, in a namespace where the kind has namespaces."""
    base, plural = _RESOURCES[kind]
    if kind in _CLUSTER_WIDE or namespace is None:
        return f"{base}/{plural}"
    return f"{base}/namespaces/{namespace}/{plural}"
