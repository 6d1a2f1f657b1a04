"""The benchmark itself, run once for the session; the tests look at what it left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from platform_suite.cube_api import CubeApi
from platform_suite.lakehouse import Lakehouse
from platform_suite.object_storage import ObjectStorage

from ..environment import WrongEnvironment  # noqa: TID252 - suites are packages of their own
from ..fingerprint import fingerprint  # noqa: TID252
from ..volume import prepare, settle  # noqa: TID252
from .measured import SCRATCH, TIMED, measured
from .rounds import Rounds
from .settings import SLOWDOWN, BenchmarkSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_suite.cluster import Cluster
    from platform_suite.dagster_api import DagsterApi


@pytest.fixture(scope="session")
def settings() -> BenchmarkSettings:
    """What the environment says."""
    try:
        return read_settings(os.environ, timed=TIMED)
    except WrongEnvironment as error:
        pytest.exit(f"the benchmark cannot begin: {error}", returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def lakehouse() -> Lakehouse:
    """The catalog and its tables."""
    return Lakehouse.of_this_pod()


@pytest.fixture(scope="session")
def cube() -> CubeApi:
    """Cube."""
    return CubeApi.of_this_pod()


@pytest.fixture(scope="session")
def rounds(
    settings: BenchmarkSettings,
    dagster: DagsterApi,
    lakehouse: Lakehouse,
    cube: CubeApi,
    cluster: Cluster,
    results: Path,
) -> Iterator[Rounds]:
    """The benchmark, to its end."""
    storage = ObjectStorage.of_this_pod()
    prepare(dagster, lakehouse, settings.rules)
    settle(dagster, lakehouse)
    if settings.slowdown:
        print(f"{SLOWDOWN}: slower on purpose: {dict(settings.slowdown)}")  # noqa: T201 - the log
    taken = Rounds(
        measured(dagster, lakehouse, storage, cube, settings.rules),
        results / "benchmark.json",
        fingerprint=fingerprint(
            kubernetes=cluster.version(), scale=settings.rules.scale, seed=settings.rules.seed
        ),
        slowdown=settings.slowdown,
    )
    try:
        taken.warm(most_seconds=settings.warm_seconds)
        taken.run(rounds=settings.rounds, warmup=settings.warmup)
        yield taken
    finally:
        left = lakehouse.drop(SCRATCH)
        if left is not None:
            storage.remove(left)
