"""Kinesis → function → Kinesis.

The egress is at-least-once: results may come twice, and in another order.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from .checkpoints import CHECKPOINTS, wait_for_stored_checkpoint
from .versions import statefun_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_suite.cluster import Cluster

    from .aws import Objects, Streams
    from .flink import Flink

    RecordProperty = Callable[[str, object], None]

COMMANDS = "counter.commands"
RESULTS = "counter.results"
DEAD_LETTERS = "dead-letters"
# The one record that the chart's setup puts into a new stream, before the job begins.
EARLY_KEY = "before-the-job"


def new_key(name: str) -> str:
    """Return a key that no other test and no other run has."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


def command(number: int) -> bytes:
    """Return the command that adds one, with the sender's own count."""
    return json.dumps({"delta": 1, "number": number}).encode()


@pytest.mark.kubernetes
@pytest.mark.kinesis
class TestStateFunKinesis:
    """Streams are LocalStack's; client, protocol and TLS are those of AWS."""

    def test_counter_adds_up_what_a_key_was_sent(self, flink: Flink, streams: Streams) -> None:
        """Ten times one is ten, and each step of it is reported."""
        key = new_key("counter")
        assert "RUNNING" in flink.task_states().values()
        streams.send(COMMANDS, key, *(command(number) for number in range(10)))

        found = streams.wait_for(RESULTS, key, 10)

        assert {value["total"] for value in found} == set(range(1, 11))
        assert max(value["total"] for value in found) == 10

    def test_records_of_one_key_are_handled_in_their_order(self, streams: Streams) -> None:
        """The total says which record was handled as which, in whatever order results come."""
        keys = [new_key("order") for _ in range(3)]
        for number in range(20):
            for key in keys:
                streams.send(COMMANDS, key, command(number))

        for key in keys:
            found = streams.wait_for(RESULTS, key, 20)
            assert {(value["number"], value["total"]) for value in found} == {
                (number, number + 1) for number in range(20)
            }, key

    def test_poison_becomes_a_dead_letter_and_holds_up_nothing(
        self, flink: Flink, streams: Streams
    ) -> None:
        """A record that is no command changes nothing, and those after it are handled."""
        key = new_key("poison")
        restarts = flink.restarts()
        streams.send(COMMANDS, key, command(0), b"\xff\xfe{", command(1))

        found = streams.wait_for(RESULTS, key, 2)
        letter, *_ = streams.wait_for(DEAD_LETTERS, key, 1)

        assert {value["total"] for value in found} == {1, 2}
        assert letter["function"] == "floe.kinesis/counter"
        assert letter["reason"] == "the record is no JSON"
        assert flink.restarts() == restarts

    def test_stream_is_read_from_its_beginning(self, streams: Streams) -> None:
        """TRIM_HORIZON: a record that was there before the job began is counted, too."""
        found = streams.wait_for(RESULTS, EARLY_KEY, 1)

        assert {(value["number"], value["total"]) for value in found} == {(0, 1)}

    def test_streams_are_addressed_by_name(
        self, cluster: Cluster, streams: Streams, record_property: RecordProperty
    ) -> None:
        """What the module names `counter.commands` is the stream of that name in this account."""
        stream = streams.description(COMMANDS)

        record_property("statefun", statefun_version(cluster))
        record_property("stream_addressing", "name")
        record_property("stream_arn", stream["StreamARN"])
        assert stream["StreamStatus"] == "ACTIVE"
        assert stream["StreamARN"].endswith(f":stream/{COMMANDS}")

    def test_streams_are_addressed_by_arn(self, cluster: Cluster) -> None:
        """Said, and not passed over: this StateFun has no ARNs."""
        pytest.skip(
            f"StateFun {statefun_version(cluster)} addresses streams by name; `streamArn` "
            "is of the fork 3.4.0-KZM"
        )

    def test_checkpoints_are_objects_in_s3(
        self, flink: Flink, objects: Objects, record_property: RecordProperty
    ) -> None:
        """Each has its metadata, under the job's id."""
        checkpoint, sizes = wait_for_stored_checkpoint(flink, objects)

        record_property("checkpoint", checkpoint.number)
        record_property("checkpoint_objects", len(sizes))
        record_property("checkpoint_bytes", sum(sizes.values()))
        assert checkpoint.path.startswith(f"{CHECKPOINTS}/{flink.job_id()}/chk-")
