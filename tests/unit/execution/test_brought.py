"""What a run brings to its test pods in ConfigMaps."""

from __future__ import annotations

import base64

import pytest

from floe_tests.core.errors import ConfigurationError
from floe_tests.execution.brought import Brought, exporter_program

JOB = {"metadata": {"name": "smoke-1", "uid": "u", "labels": {"a": "b"}}}


def test_a_config_map_goes_with_its_job_and_holds_text_as_text():
    files = {"deep/test_a.py": b"assert True\n", "b.bin": b"\xff\x00"}
    brought = Brought("suite", "/suite", files)
    pod: dict[str, object] = {}
    container: dict[str, object] = {}

    brought.mount_in(pod, container, job_name="smoke-1")
    made = brought.config_map(JOB, job_name="smoke-1")

    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    (volume,) = pod["volumes"]  # type: ignore[misc] - built above
    assert volume["configMap"]["name"] == made["metadata"]["name"] == "smoke-1-suite"
    paths = {item["path"]: item["key"] for item in volume["configMap"]["items"]}
    assert made["data"] == {paths["deep/test_a.py"]: "assert True\n"}
    assert base64.b64decode(made["binaryData"][paths["b.bin"]]) == b"\xff\x00"


def test_more_than_a_config_map_takes_is_refused_before_the_cluster_does():
    brought = Brought("suite", "/suite", {"a": b"a" * 1024 * 1024, "b": b"b"})

    with pytest.raises(ConfigurationError, match=r"tests/smoke: 1024 KiB in 2 files"):
        brought.require_fitting("tests/smoke")


def test_the_exporter_fits_beside_much_else():
    assert sum(map(len, exporter_program().files.values())) < 200 * 1024
