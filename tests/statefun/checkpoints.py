"""That the job's state lies in S3: the same is asked of it whatever it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_suite.deadline import NotYet, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .aws import Objects
    from .flink import Checkpoint, Flink

CHECKPOINTS = "s3://statefun-checkpoints/checkpoints"


def wait_for_stored_checkpoint(
    flink: Flink, objects: Objects
) -> tuple[Checkpoint, Mapping[str, int]]:
    """Wait for a checkpoint whose objects are there; gives it and all objects of its job.

    A checkpoint is deleted when the next one is complete, which is every five seconds.
    """

    def stored() -> tuple[Checkpoint, Mapping[str, int]]:
        checkpoint = flink.completed_checkpoint()
        if checkpoint is None:
            raise NotYet("no complete checkpoint")
        folder = checkpoint.path.rpartition("/")[0]
        sizes = objects.sizes(folder)
        metadata = f"{checkpoint.path}/_metadata".removeprefix("s3://").partition("/")[2]
        if not sizes.get(metadata):
            raise NotYet(f"{metadata} is none of {sorted(sizes)}")
        return checkpoint, sizes

    return wait_for(stored, what="a checkpoint in S3", deadline_seconds=60)
