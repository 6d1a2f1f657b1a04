"""Network policies: who may speak to whom, as the objects say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.network_policy import may_connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cluster import Pod

pytestmark = pytest.mark.kubernetes

WEBSERVER_PORT = 3000
CODE_PORT = 4000


def test_policies_open_what_the_platform_needs_and_no_more(
    policies: tuple[Mapping[str, object], ...], own_pod: Pod, roles: Mapping[str, Pod]
) -> None:
    """Every pair of pods and every port; what is missing in the table is closed."""
    pods = {"tests": own_pod, **roles}
    opened = {
        (source, target, port)
        for source in pods
        for target in pods
        for port in (WEBSERVER_PORT, CODE_PORT)
        if source != target
        and may_connect(policies, source=pods[source].labels, target=pods[target].labels, port=port)
    }
    assert opened == {
        ("tests", "webserver", WEBSERVER_PORT),
        ("webserver", "code", CODE_PORT),
        ("daemon", "code", CODE_PORT),
    }
