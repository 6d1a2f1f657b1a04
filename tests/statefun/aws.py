"""Kinesis' streams and S3's objects, through AWS' own client."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from platform_suite.deadline import NotYet, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_RESULT_SECONDS = 60.0
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    s3={"addressing_style": "path"},
)


class Streams:
    """Kinesis."""

    def __init__(self) -> None:
        # Endpoint, region and key come out of the environment.
        self._client = boto3.client("kinesis", config=_CONFIG)

    def send(self, stream: str, key: str, *values: bytes) -> None:
        """Send records under one key, one after another."""
        for value in values:
            self._client.put_record(StreamName=stream, PartitionKey=key, Data=value)

    def description(self, stream: str) -> Mapping[str, Any]:
        """Read what a stream is."""
        return self._client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]

    def read(self, stream: str) -> tuple[Mapping[str, Any], ...]:
        """Read a stream from TRIM_HORIZON to its present end."""
        shards = self._client.list_shards(StreamName=stream)["Shards"]
        return tuple(
            json.loads(data) for shard in shards for data in self._read(stream, shard["ShardId"])
        )

    def wait_for(self, stream: str, key: str, count: int) -> tuple[Mapping[str, Any], ...]:
        """Wait until a key has at least so many different results; gives them all.

        The egress is at-least-once: a result may be there twice.
        """

        def enough() -> tuple[Mapping[str, Any], ...]:
            found = tuple(value for value in self.read(stream) if value["id"] == key)
            different = {json.dumps(value, sort_keys=True) for value in found}
            if len(different) < count:
                raise NotYet(f"{len(different)} of {count} results: {sorted(different)}")
            return found

        return wait_for(
            enough,
            what=f"stream {stream}, key {key}",
            deadline_seconds=_RESULT_SECONDS,
            pause_seconds=1,
        )

    def _read(self, stream: str, shard: str) -> Iterable[bytes]:
        iterator = self._client.get_shard_iterator(
            StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        deadline = time.monotonic() + _RESULT_SECONDS
        while iterator and time.monotonic() < deadline:
            answer = self._client.get_records(ShardIterator=iterator, Limit=1000)
            yield from (record["Data"] for record in answer["Records"])
            if not answer["Records"] and not answer["MillisBehindLatest"]:
                return
            iterator = answer.get("NextShardIterator")


class Objects:
    """S3."""

    def __init__(self) -> None:
        self._client = boto3.client("s3", config=_CONFIG)

    def sizes(self, path: str) -> Mapping[str, int]:
        """List the objects below an address.

        Args:
            path: `s3://BUCKET/FOLDER`.

        Returns:
            Their sizes in bytes, by key.
        """
        bucket, _, folder = path.removeprefix("s3://").partition("/")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{folder.rstrip('/')}/"
        )
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def is_there(self, path: str) -> bool:
        """Whether an object is there."""
        folder, _, _ = path.rpartition("/")
        return path.removeprefix("s3://").partition("/")[2] in self.sizes(folder)
