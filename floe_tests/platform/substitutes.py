"""Where an image cannot be had, a release does without it, and says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import cast

from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseSettings
from floe_tests.core import registry


@dataclass(frozen=True)
class MissingImages:
    """Images with a substitute, by upstream name, that the registry here does not have."""

    names: tuple[str, ...] = ()


def missing_images(releases: Iterable[ReleaseSettings], workspace: Workspace) -> MissingImages:
    """Ask the registry for the images that have a substitute.

    One that does not answer, or does not tell, is taken to have them: the pull says more than a
    guess.

    Args:
        releases: The tier's settings for its releases.
        workspace: The registry prefix.
    """
    images = (each.image for release in releases for each in release.substitutes)
    return MissingImages(
        tuple(
            image
            for image in dict.fromkeys(images)
            if registry.ask(workspace.image(image))[0] == "missing"
        )
    )


def without(release: ReleaseSettings, missing: MissingImages) -> ReleaseSettings:
    """Return a release's settings with the substitutes of images that are missing."""
    return with_values(
        release, (each.values for each in release.substitutes if each.image in missing.names)
    )


def with_values(
    release: ReleaseSettings, layers: Iterable[Mapping[str, object]]
) -> ReleaseSettings:
    """Return a release's settings with more values over its own, the last ones on top."""
    values = reduce(merged, layers, release.values)
    return release.model_copy(update={"values": values})


def merged(values: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Merge values as helm merges its files: maps key by key, everything else replaced.

    Source: https://helm.sh/docs/chart_template_guide/values_files/
    """
    return {**values, **{key: _merged(values.get(key), value) for key, value in over.items()}}


def _merged(value: object, over: object) -> object:
    if isinstance(value, dict) and isinstance(over, dict):
        return merged(cast("dict[str, object]", value), cast("dict[str, object]", over))
    return over
