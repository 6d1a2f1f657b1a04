"""Makes bucket and streams that are not there yet, once the services answer.

The bucket comes last: the JobManager waits for it, and so finds everything else. A new stream that
the job reads gets one record at once, which only a reader finds that begins at TRIM_HORIZON.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.config import Config  # pyright: ignore[reportMissingImports] - the image has it
from botocore.exceptions import (  # pyright: ignore[reportMissingImports]
    BotoCoreError,
    ClientError,
)
from botocore.session import get_session  # pyright: ignore[reportMissingImports]

T = TypeVar("T")

EARLY_KEY = "before-the-job"
EARLY_RECORD = {"delta": 1, "number": 0}


class NotYetError(Exception):
    """Something that may still come is not there; the message is what was seen."""


def within(deadline: float, probe: Callable[[], T]) -> T:
    """Ask until the answer comes; after the deadline (monotonic), end with what was seen."""
    while True:
        try:
            return probe()
        except (NotYetError, BotoCoreError, ClientError) as error:
            if time.monotonic() >= deadline:
                sys.exit(f"create_storage.py: not in time; last seen: {error}")
        time.sleep(0.5)


def create_stream(kinesis: Any, name: str, *, shards: int, deadline: float) -> bool:
    """Make a stream, and wait until it can be used; say whether it is new."""
    new = True

    def create() -> None:
        nonlocal new
        try:
            kinesis.create_stream(StreamName=name, ShardCount=shards)
        except kinesis.exceptions.ResourceInUseException:
            new = False

    def is_active() -> None:
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        if summary["StreamStatus"] != "ACTIVE":
            raise NotYetError(f"stream {name} is {summary['StreamStatus']}")
        print(f"stream {name} is active: {summary['StreamARN']}", flush=True)

    within(deadline, create)
    within(deadline, is_active)
    return new


def put_early_record(kinesis: Any, stream: str) -> None:
    """Put the record that is there before the job.

    LocalStack numbers by the second. A record of the second in which its stream was made has the
    number with which the shard begins, and as long as it is the only one, whoever has read it gets
    it again with every request.
    """
    time.sleep(1.1)
    data = json.dumps(EARLY_RECORD).encode()
    kinesis.put_record(StreamName=stream, PartitionKey=EARLY_KEY, Data=data)


def create_bucket(s3: Any, name: str, *, deadline: float) -> None:
    """Make a bucket; one that is there stays."""

    def create() -> None:
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name)

    within(deadline, create)
    print(f"bucket {name} is there", flush=True)


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("--region", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--stream", action="append", default=[])
    parser.add_argument("--read-stream", help="the one of them that the job reads")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--deadline-seconds", type=float, required=True)
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.deadline_seconds

    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
    )

    def client(service: str) -> Any:
        return get_session().create_client(
            service, endpoint_url=arguments.endpoint, config=config, region_name=arguments.region
        )

    if arguments.stream:
        kinesis = client("kinesis")
        for name in arguments.stream:
            new = create_stream(kinesis, name, shards=arguments.shards, deadline=deadline)
            if new and name == arguments.read_stream:
                put_early_record(kinesis, name)
    create_bucket(client("s3"), arguments.bucket, deadline=deadline)


if __name__ == "__main__":
    main()
