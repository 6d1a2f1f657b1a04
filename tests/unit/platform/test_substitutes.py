"""What a release does without where an image cannot be had."""

from __future__ import annotations

from pathlib import Path

from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseSettings
from floe_tests.platform.substitutes import (
    MissingImages,
    merged,
    missing_images,
    without,
)
from tests.support.small_server import serving

RELEASE = ReleaseSettings.model_validate(
    {
        "name": "app",
        "chart": "charts/app",
        "values": {"catalog": {"kind": "polaris", "replicas": 2}, "debug": False},
        "substitutes": [
            {"image": "apache/polaris:1", "values": {"catalog": {"kind": "plain"}}},
            {"image": "apache/other:1", "values": {"debug": True}},
        ],
    }
)


def workspace(prefix: str, tmp_path: Path) -> Workspace:
    return Workspace(
        root=tmp_path,
        output=tmp_path,
        home=tmp_path,
        history_url="",
        image_registry_prefix=prefix,
    )


def test_only_what_the_registry_says_it_does_not_have_is_missing(tmp_path: Path) -> None:
    with serving() as registry:
        registry.answers = {"/v2/apache/other/manifests/1": {"schemaVersion": 2}}
        here = workspace(f"{registry.address}/", tmp_path)

        assert missing_images([RELEASE], here) == MissingImages(("apache/polaris:1",))
        registry.answers["/v2/apache/polaris/manifests/1"] = 401
        assert missing_images([RELEASE], here) == MissingImages()


def test_a_registry_that_does_not_answer_is_taken_to_have_everything(tmp_path: Path) -> None:
    assert missing_images([RELEASE], workspace("127.0.0.1:9/", tmp_path)) == MissingImages()


def test_a_substitute_changes_its_own_values_and_no_other() -> None:
    changed = without(RELEASE, MissingImages(("apache/polaris:1",)))

    assert changed.values == {"catalog": {"kind": "plain", "replicas": 2}, "debug": False}
    assert without(RELEASE, MissingImages()) == RELEASE


def test_values_are_merged_as_helm_does() -> None:
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 1}

    assert merged(below, {"a": {"c": [3]}, "d": {"e": 2}}) == {
        "a": {"b": 1, "c": [3]},
        "d": {"e": 2},
    }
