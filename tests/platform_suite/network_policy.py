"""Whether NetworkPolicies let one pod reach another: what the objects say, not what the CNI does.

A CNI may accept policies and enforce none. Then a connection that should fail succeeds, and only
the objects tell a hole in the policies from a cluster that ignores them.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Labels = Mapping[str, str]
    Policy = Mapping[str, Any]


def may_connect(policies: Iterable[Policy], *, source: Labels, target: Labels, port: int) -> bool:
    """Judge a TCP connection between two pods of the policies' own namespace.

    Args:
        policies: All NetworkPolicies of the namespace, as in their manifests.
        source: Labels of the pod that connects.
        target: Labels of the pod that is connected to.
        port: The port of the target pod, not of its Service.

    Returns:
        Whether the policies of both ends let it through.
    """
    policies = tuple(policies)
    return _lets(policies, "Egress", of=source, peer=target, port=port) and _lets(
        policies, "Ingress", of=target, peer=source, port=port
    )


def is_denied_by_default(policies: Iterable[Policy], labels: Labels, direction: str) -> bool:
    """Whether at least one policy selects the pod for `Ingress` or `Egress`."""
    return any(_applies(policy, direction, labels) for policy in policies)


def _lets(
    policies: tuple[Policy, ...], direction: str, *, of: Labels, peer: Labels, port: int
) -> bool:
    applying = [policy for policy in policies if _applies(policy, direction, of)]
    # A pod that no policy selects for a direction is open in it.
    if not applying:
        return True
    side, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return any(
        _is_peer(rule.get(peers), peer) and _is_port(rule.get("ports"), port)
        for policy in applying
        for rule in policy["spec"].get(side, [])
    )


def _applies(policy: Policy, direction: str, labels: Labels) -> bool:
    spec = policy["spec"]
    implied = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    return direction in spec.get("policyTypes", implied) and _selects(
        spec.get("podSelector", {}), labels
    )


def _is_peer(peers: list[Mapping[str, Any]] | None, labels: Labels) -> bool:
    if not peers:  # a rule without peers is about everybody
        return True
    # Peers by namespace or address are other namespaces and addresses outside the cluster here.
    own = (peer for peer in peers if "namespaceSelector" not in peer and "ipBlock" not in peer)
    return any(_selects(peer["podSelector"], labels) for peer in own)


def _is_port(ports: list[Mapping[str, Any]] | None, port: int) -> bool:
    if not ports:  # a rule without ports is about all of them
        return True
    return any(_covers(entry, port) for entry in ports)


def _covers(entry: Mapping[str, Any], port: int) -> bool:
    if entry.get("protocol", "TCP") != "TCP":
        return False
    first = entry.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        message = f"the policy names the port {first!r}; only numbers can be judged here"
        raise TypeError(message)
    return first <= port <= entry.get("endPort", first)


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    expressions = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted) and all(
        _meets(expression, labels) for expression in expressions
    )


def _meets(expression: Mapping[str, Any], labels: Labels) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case operator:
            message = f"unknown operator {operator!r} in a label selector"
            raise ValueError(message)
