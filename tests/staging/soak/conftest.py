"""The soak itself, run once for the session; the tests look at what became of it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from platform_suite.deadline import NotYet, wait_for
from platform_suite.lakehouse import Lakehouse
from platform_suite.object_storage import BUCKET, ObjectStorage
from platform_suite.quantity import amount

from ..environment import WrongEnvironment  # noqa: TID252 - suites are packages of their own
from ..fingerprint import fingerprint  # noqa: TID252
from ..volume import prepare  # noqa: TID252
from .operations import Batches, Platform, operations
from .record import Record
from .settings import SoakSettings, read_settings
from .soak import Soak, Soaked
from .usage import NoUsage, Sampler, choose_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from platform_suite.cluster import Cluster
    from platform_suite.dagster_api import DagsterApi

_SETTLE_SECONDS = 300.0


@dataclass(frozen=True)
class Ended:
    """A soak that went to its end, and the platform after it."""

    soaked: Soaked
    batches: Batches
    platform: Platform


@pytest.fixture(scope="session")
def settings() -> SoakSettings:
    """What the environment says."""
    try:
        return read_settings(os.environ)
    except WrongEnvironment as error:
        pytest.exit(f"the soak cannot begin: {error}", returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def platform(dagster: DagsterApi) -> Platform:
    """The platform's clients."""
    return Platform(dagster.base_url)


@pytest.fixture(scope="session")
def ended(
    settings: SoakSettings,
    platform: Platform,
    cluster: Cluster,
    results: Path,
) -> Ended:
    """The soak, to its end."""
    prepare(platform.dagster, platform.lakehouse, settings.rules)
    batches = Batches(settings.rules)
    load = operations(platform, batches, settings)
    for operation in load:  # what is slow the first time only is no drift
        if operation.name not in {"pipeline", "maintenance"}:
            operation.do()
    sampler: Sampler | NoUsage
    try:
        source = choose_source(cluster, tls=settings.kubelet_tls)
        sampler, source_name = Sampler(cluster, source, disk_of=_disks(cluster)), source.name
    except NoUsage as error:
        sampler, source_name = error, "none"
    began = time.monotonic()
    record = Record(results / "soak.jsonl", elapsed=lambda: time.monotonic() - began)
    record.write(
        "start",
        planned_seconds=settings.seconds,
        interval_seconds=settings.interval_seconds,
        rates={
            "pipeline": settings.pipelines_per_minute,
            "query": settings.queries_per_minute,
        },
        scale=settings.rules.scale,
        seed=settings.rules.seed,
        fingerprint=fingerprint(
            kubernetes=cluster.version(), scale=settings.rules.scale, seed=settings.rules.seed
        ),
        source=source_name,
    )
    soak = Soak(load, sampler, record, interval_seconds=settings.interval_seconds)
    return Ended(soak.run(settings.seconds), batches, platform)


@pytest.fixture(scope="session")
def settled(ended: Ended) -> Mapping[str, object]:
    """What each batch must hold, once those whose last run failed were replaced once more."""

    def settle() -> None:
        if ended.batches.unsure():
            ended.platform.replace_a_batch(ended.batches)
            raise NotYet(f"batches {ended.batches.unsure()} may hold one thing or another")

    wait_for(settle, what="batches that are known", deadline_seconds=_SETTLE_SECONDS)
    return ended.batches.expected()


def _disks(cluster: Cluster) -> dict[str, Callable[[], tuple[int, int | None]]]:
    """Return how full the object storage is where its volume is measured by nobody."""
    storage = ObjectStorage.of_this_pod()
    capacity = {name: int(amount(size)) for name, size in cluster.volume_claims().items()}
    limit = next((size for name, size in capacity.items() if "object-storage" in name), None)

    def of_objects() -> tuple[int, int | None]:
        return sum(storage.sizes(f"s3://{BUCKET}").values()), limit

    return {"object-storage": of_objects}


@pytest.fixture(scope="session")
def lakehouse() -> Lakehouse:
    """The catalog and its tables."""
    return Lakehouse.of_this_pod()
