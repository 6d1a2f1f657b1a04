"""Where a chart comes from, and what it gets where there is a registry prefix."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from floe_tests.config.release import ReleaseSettings
from floe_tests.platform.charts import chart_words, prefix_words, unbuilt_dependencies

CHART = """\
name: shop
version: 1.0.0
dependencies:
  - {name: redis, version: 1.x, repository: "https://charts.example.com"}
  - {name: common, version: 1.x, repository: "file://../common"}
"""


def release(**changes: object) -> ReleaseSettings:
    return ReleaseSettings.model_validate({"name": "shop", "chart": "charts/shop", **changes})


def test_a_chart_is_a_path_an_address_or_a_name_in_a_repository(tmp_path: Path):
    folder = release()
    registry = release(chart="oci://example.com/shop", version="1.2.3")
    repository = release(chart="shop", repository="https://charts.example.com", version="1.2.3")

    assert chart_words(folder, tmp_path) == [str(tmp_path / "charts/shop")]
    assert chart_words(registry, tmp_path) == ["oci://example.com/shop", "--version", "1.2.3"]
    assert chart_words(repository, tmp_path) == [
        *("shop", "--repo", "https://charts.example.com", "--version", "1.2.3"),
    ]


def test_a_chart_in_a_repository_is_pinned():
    with pytest.raises(ValidationError, match="needs `version`"):
        release(chart="shop", repository="https://charts.example.com")


def test_dependencies_that_are_not_there_are_named(tmp_path: Path):
    (tmp_path / "Chart.yaml").write_text(CHART)
    assert unbuilt_dependencies(tmp_path) == ("redis", "common")

    (tmp_path / "charts" / "common").mkdir(parents=True)
    (tmp_path / "charts" / "redis-1.4.0.tgz").touch()

    assert unbuilt_dependencies(tmp_path) == ()


def test_a_chart_gets_its_own_values_of_the_prefix_and_no_other(tmp_path: Path):
    """A strict values.schema.json refuses what the chart does not know."""
    values = {"image.registry": "{registry}", "hook.image": "{prefix}curl:8"}

    words = prefix_words(release(image_values=values), tmp_path, prefix="example.com/")

    assert words[:4] == [
        *("--set-string", "image.registry=example.com"),
        *("--set-string", "hook.image=example.com/curl:8"),
    ]
    assert not any("imageRegistryPrefix" in word for word in words)
    assert words[-1] == "--post-renderer-args=example.com/"
    assert prefix_words(release(image_values=values), tmp_path, prefix="") == []


def test_the_charts_here_get_the_prefix_by_their_value():
    root = Path(__file__).parents[3]

    words = prefix_words(
        release(chart="charts/floe-platform", prefix_images=False), root, prefix="example.com/"
    )

    assert words == ["--set-string", "global.imageRegistryPrefix=example.com/"]
