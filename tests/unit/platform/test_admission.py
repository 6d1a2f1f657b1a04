"""What a refusal of the API server means: whose fault it is, and whether waiting helps.

The messages are those of real API servers, Kubernetes 1.25 to 1.34.
"""

from __future__ import annotations

import pytest

from floe_tests.platform.admission import meaning_of

NAMESPACE = "floe-test-1"
POST = 'failed to call webhook: Post "https://{}.svc:443/validate?timeout=10s": '


@pytest.mark.parametrize(
    ("message", "by"),
    [
        pytest.param(
            'pods "web-7d9f-x2" is forbidden: violates PodSecurity "restricted:latest": '
            "allowPrivilegeEscalation != false",
            'Pod Security "restricted:latest"',
            id="Pod Security",
        ),
        pytest.param(
            'pods "web" is forbidden: exceeded quota: floe-tests-budget, requested: '
            "limits.memory=64Gi, used: limits.memory=0, limited: limits.memory=8Gi",
            "quota floe-tests-budget",
            id="a quota",
        ),
        pytest.param(
            "create Claim data-web-0 for Pod web-0 in StatefulSet web failed error: "
            'persistentvolumeclaims "data-web-0" is forbidden: exceeded quota: disks, requested: '
            "requests.storage=1Gi, used: requests.storage=0, limited: requests.storage=0",
            "quota disks",
            id="a quota of storage, for a claim of a StatefulSet",
        ),
        pytest.param(
            'pods "web" is forbidden: failed quota: floe-tests-budget: must specify limits.memory '
            "for: web",
            "quota floe-tests-budget",
            id="a quota that wants limits",
        ),
        pytest.param(
            'pods "web" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 2Gi,'
            " maximum memory usage per Pod is 1Gi, but limit is 2147483648]",
            "a LimitRange",
            id="the maximum of a LimitRange",
        ),
        pytest.param(
            'pods "web" is forbidden: cpu max limit to request ratio per Container is 2, but '
            "provided ratio is 4.000000",
            "a LimitRange",
            id="the ratio of a LimitRange",
        ),
        pytest.param(
            'admission webhook "validate.kyverno.svc-fail" denied the request: \n\npolicy '
            "Deployment/floe/web for resource violation: \n\nrequire-labels",
            'webhook "validate.kyverno.svc-fail"',
            id="a policy's webhook that says no",
        ),
        pytest.param(
            "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding "
            "'no-latest' denied request: image tag latest",
            "ValidatingAdmissionPolicy no-latest",
            id="a policy of the API server's own",
        ),
        pytest.param(
            'clusterroles.rbac.authorization.k8s.io is forbidden: User "ci" cannot create resource '
            '"clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope',
            'the rights of "ci"',
            id="rights that the account lacks",
        ),
        pytest.param(
            'roles.rbac.authorization.k8s.io "web" is forbidden: user "ci" (groups=["x"]) is '
            "attempting to grant RBAC permissions not currently held:",
            "the rights of the account, which gives nobody more than it has",
            id="rights that the account may not pass on",
        ),
    ],
)
def test_what_the_clusters_rules_refuse_is_configuration_with_a_remedy(
    message: str, by: str
) -> None:
    found = meaning_of(message, namespace=NAMESPACE)

    assert found is not None
    assert (found.by, found.party) == (by, "configuration")
    assert found.remedy


@pytest.mark.parametrize(
    "why",
    [
        "dial tcp 10.96.12.1:443: connect: connection refused",
        "context deadline exceeded",
        'no endpoints available for service "policy"',
        'service "policy" not found',
        "x509: certificate signed by unknown authority",
        "EOF",
    ],
)
def test_a_webhook_that_does_not_answer_is_infrastructure_by_its_name(why: str) -> None:
    message = (
        'Internal error occurred: failed calling webhook "pods.policy.example.com": '
        f"{POST.format('policy.gate')}{why}"
    )

    found = meaning_of(message, namespace=NAMESPACE)

    assert found is not None
    assert found.party == "infrastructure"
    assert found.by == 'webhook "pods.policy.example.com", which does not answer'
    assert found.patience_seconds > 0, "its pod may be on its way back"


def test_a_webhook_of_the_release_itself_is_the_platforms() -> None:
    """An operator that comes up with its own webhook, and does not come up, is no one else's."""
    message = (
        'Internal error occurred: failed calling webhook "issuers.cert-manager.io": '
        f"{POST.format(f'cert-manager-webhook.{NAMESPACE}')}connect: connection refused"
    )

    found = meaning_of(message, namespace=NAMESPACE)

    assert found is not None
    assert found.party == "platform"


@pytest.mark.parametrize(
    "message",
    [
        (
            "Error: INSTALLATION FAILED: Kubernetes cluster unreachable: Get "
            '"https://127.0.0.1:6443/version": dial tcp 127.0.0.1:6443: connect: connection refused'
        ),
        "Error: UPGRADE FAILED: etcdserver: request timed out",
        (
            "Error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: "
            "the server is currently unable to handle the request"
        ),
        (
            "conversion webhook for cert-manager.io/v1alpha2, Kind=Issuer failed: Post "
            '"https://hook.gate.svc:443/convert?timeout=30s": dial tcp: lookup hook: no such host'
        ),
    ],
    ids=["API server away", "etcd", "an aggregated API", "a conversion webhook"],
)
def test_a_control_plane_that_does_not_answer_is_infrastructure(message: str) -> None:
    found = meaning_of(message, namespace=NAMESPACE)

    assert found is not None
    assert found.party == "infrastructure"


@pytest.mark.parametrize(
    "message",
    [
        'Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        (
            'pods "web-" is forbidden: error looking up service account floe/web: serviceaccount '
            '"web" not found'
        ),
        'Deployment.apps "web" is invalid: spec.selector: field is immutable',
    ],
    ids=["a warning refuses nothing", "the chart's own account", "the chart's own mistake"],
)
def test_other_words_are_no_rule_of_the_cluster(message: str) -> None:
    assert meaning_of(message, namespace=NAMESPACE) is None


def test_a_quota_that_is_not_counted_yet_is_waited_for() -> None:
    message = 'pods "web" is forbidden: status unknown for quota: budget, resources: limits.memory'

    found = meaning_of(message, namespace=NAMESPACE)

    assert found is not None
    assert found.party == "infrastructure"
    assert found.patience_seconds > 0
