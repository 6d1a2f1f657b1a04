"""The registry prefix before the images of any chart."""

from __future__ import annotations

import pytest
import yaml

from floe_tests.platform.image_prefix import with_prefix

PREFIX = "harbor.example.com/proxy/"


def deployment(containers: str) -> str:
    return (
        "# Source: shop/templates/a.yaml\napiVersion: apps/v1\nkind: Deployment\n"
        f"metadata: {{name: a}}\nspec:\n  template:\n    spec:\n      containers:\n{containers}"
    )


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("image: nginx:1.27", "nginx:1.27"),
        ('image: "nginx:1.27"', "nginx:1.27"),
        ("image: 'nginx:1.27'", "nginx:1.27"),
        ("image: ghcr.io/a/b@sha256:00 # pinned", "ghcr.io/a/b@sha256:00"),
    ],
)
def test_an_image_gets_it_however_it_is_written(written: str, image: str):
    text = deployment(f"        - name: web\n          {written}\n")

    changed = with_prefix(text, PREFIX)

    (container,) = yaml.safe_load(changed)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == PREFIX + image
    assert with_prefix(changed, PREFIX) == changed, "once is enough"


def test_every_pod_gets_it_and_nothing_else_changes():
    text = (
        deployment("        - {name: web, image: a}\n        - {name: side, image: 'ö/b'}\n")
        + "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec:\n"
        "  jobTemplate: {spec: {template: {spec: {containers: [{image: c}]}}}}\n"
        "---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n"
        "  a.yaml: |\n    image: d\n    on: yes\n"
        "---\napiVersion: example.com/v1\nkind: Kafka\nmetadata: {name: k}\nspec: {image: e}\n"
    )

    changed = with_prefix(text, PREFIX)

    assert changed.count(PREFIX) == 3
    assert changed.replace(PREFIX, "") == text


def test_what_is_no_yaml_is_left_to_helm():
    assert with_prefix("a: [\n", PREFIX) == "a: [\n"
