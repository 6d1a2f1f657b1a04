"""Kafka → function → Kafka: results, state, order, and nothing lost when anything goes away."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from platform_suite.deadline import NotYet, wait_for
from platform_suite.restarts import replace_pods

from .checkpoints import CHECKPOINTS, wait_for_stored_checkpoint
from .kafka_records import COUNTER, DEAD_LETTERS, GREETER, TTL, Traffic, counted, new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from platform_suite.cluster import Cluster

    from .aws import Objects
    from .flink import Flink
    from .kafka_records import Commands, Result, Results

    RecordProperty = Callable[[str, object], None]

TTL_SECONDS = 5
# The pod comes back, the job begins again from its checkpoint, and Kafka's transaction is committed
# with the next one.
RECOVERY_SECONDS = 120.0
RESULTS_BEFORE = 20
# Records that are no command of the counter, and what is said of each.
POISON = (
    (b"\xff\xfe{", "the record is no JSON"),
    (b"", "the record is no JSON"),
    (b"[1]", "the record is no JSON object"),
    (b'{"delta": "one"}', "delta is no integer of 64 bits"),
    (b'{"delta": 9223372036854775808}', "delta is no integer of 64 bits"),
)


@pytest.mark.kubernetes
@pytest.mark.kafka
class TestStateFunKafka:
    """In the order of the file: what takes pods away comes last."""

    def test_counter_adds_up_what_a_key_was_sent(
        self, commands: Commands, results: Results
    ) -> None:
        """Ten times one is ten, and each step of it is reported."""
        key = new_key("counter")
        commands.send(COUNTER, key, *(counted(number) for number in range(10)))

        found = results.wait_for("counter.results", key, 10)

        assert totals(found) == list(range(1, 11))
        assert {result.value["id"] for result in found} == {key}

    def test_counter_of_one_key_knows_nothing_of_another(
        self, commands: Commands, results: Results
    ) -> None:
        """State belongs to an address, not to a function."""
        one, other = new_key("one"), new_key("other")
        commands.send(COUNTER, one, b'{"delta": 40}', b'{"delta": 2}')
        commands.send(COUNTER, other, b'{"delta": -1}')

        assert totals(results.wait_for("counter.results", one, 2)) == [40, 42]
        assert totals(results.wait_for("counter.results", other, 1)) == [-1]

    @pytest.mark.parametrize(
        ("name", "greeting"),
        [("Alice", "Hello, Alice!"), ("Zoë 李雷", "Hello, Zoë 李雷!")],
        ids=["ascii", "unicode"],
    )
    def test_greeter_answers_json_with_json(
        self, commands: Commands, results: Results, name: str, greeting: str
    ) -> None:
        """A function without state, and text that is more than ASCII."""
        key = new_key("greeter")
        commands.send(GREETER, key, f'{{"name": "{name}"}}'.encode())

        (found,) = results.wait_for("greeter.results", key, 1)

        assert found.value == {"id": key, "greeting": greeting}

    def test_state_is_forgotten_after_its_time_to_live(
        self, commands: Commands, results: Results
    ) -> None:
        """Five, a pause longer than the five seconds that the state lives, and three are three."""
        key = new_key("ttl")
        commands.send(TTL, key, *(counted(number) for number in range(5)))
        assert totals(results.wait_for("ttl.results", key, 5)) == [1, 2, 3, 4, 5]

        time.sleep(TTL_SECONDS + 2)
        commands.send(TTL, key, *(counted(number) for number in range(5, 8)))

        assert totals(results.wait_for("ttl.results", key, 8)[5:]) == [1, 2, 3]

    def test_records_of_one_key_are_handled_in_their_order(
        self, commands: Commands, results: Results
    ) -> None:
        """Many keys over all partitions, their records mixed: each key sees its own in order."""
        keys = [new_key("order") for _ in range(6)]
        count = 50
        for number in range(count):
            for key in keys:
                commands.send_one(COUNTER, key, counted(number))
        commands.deliver()

        for key in keys:
            found = results.wait_for("counter.results", key, count)
            assert numbers(found) == list(range(count)), key
            assert totals(found) == list(range(1, count + 1)), key

    def test_poison_becomes_dead_letters_and_holds_up_nothing(
        self, flink: Flink, commands: Commands, results: Results
    ) -> None:
        """StateFun would send a record that fails a function again for ever."""
        key = new_key("poison")
        restarts = flink.restarts()
        commands.send(COUNTER, key, counted(0), *(record for record, _ in POISON), counted(1))

        found = results.wait_for("counter.results", key, 2)
        letters = [letter.value for letter in results.wait_for(DEAD_LETTERS, key, len(POISON))]

        assert totals(found) == [1, 2]
        assert [letter["reason"] for letter in letters] == [reason for _, reason in POISON]
        assert {letter["function"] for letter in letters} == {"floe.kafka/counter"}
        assert flink.restarts() == restarts

    def test_checkpoints_are_objects_in_s3(
        self, flink: Flink, objects: Objects, record_property: RecordProperty
    ) -> None:
        """Each has its metadata, under the job's id."""
        checkpoint, sizes = wait_for_stored_checkpoint(flink, objects)

        record_property("checkpoint", checkpoint.number)
        record_property("checkpoint_objects", len(sizes))
        record_property("checkpoint_bytes", sum(sizes.values()))
        assert checkpoint.path.startswith(f"{CHECKPOINTS}/{flink.job_id()}/chk-")

    def test_function_pod_may_restart_in_the_middle_of_a_stream(
        self,
        cluster: Cluster,
        flink: Flink,
        commands: Commands,
        results: Results,
        record_property: RecordProperty,
    ) -> None:
        """Calls wait for the next pod; the job does not begin again, and totals are exact."""
        restarts = flink.restarts()
        with Traffic(commands, new_key("functions")) as traffic:
            results.wait_for("counter.results", traffic.key, RESULTS_BEFORE)
            replace_pods(cluster, "functions", deadline=time.monotonic() + RECOVERY_SECONDS)
            wait_for_new_results(results, traffic)
            sent = traffic.stop()

        found = results.wait_for("counter.results", traffic.key, sent)

        record_property("records", sent)
        record_property("longest_gap_seconds", longest_gap_seconds(found))
        assert_exactly_once(found, sent)
        assert flink.restarts() == restarts

    @pytest.mark.parametrize("role", ["taskmanager", "jobmanager"])
    def test_state_survives_the_deletion_of_a_pod_of_flink(
        self,
        cluster: Cluster,
        flink: Flink,
        commands: Commands,
        results: Results,
        record_property: RecordProperty,
        role: str,
    ) -> None:
        """Under traffic: the job begins from a checkpoint, and each record counts exactly once."""
        job = flink.job_id()
        with Traffic(commands, new_key(role)) as traffic:
            results.wait_for("counter.results", traffic.key, RESULTS_BEFORE)
            before = flink.wait_for_checkpoint()
            began = time.monotonic()
            replace_pods(cluster, role, deadline=began + RECOVERY_SECONDS)
            restored = wait_for_restored_checkpoint(flink, at_least=before.number)
            flink.wait_until_running(deadline_seconds=RECOVERY_SECONDS)
            record_property("seconds_until_running", round(time.monotonic() - began, 1))
            wait_for_new_results(results, traffic)
            sent = traffic.stop()

        found = results.wait_for("counter.results", traffic.key, sent)

        record_property("records", sent)
        record_property("restored_checkpoint", restored)
        record_property("longest_gap_seconds", longest_gap_seconds(found))
        assert_exactly_once(found, sent)
        assert flink.job_id() == job


def totals(found: Sequence[Result]) -> list[int]:
    """Return the totals of results, in their order."""
    return [result.value["total"] for result in found]


def numbers(found: Sequence[Result]) -> list[int]:
    """Return the sender's numbers of results, in their order."""
    return [result.value["number"] for result in found]


def longest_gap_seconds(found: Sequence[Result]) -> float:
    """Return the longest time without a result."""
    times = [result.seen_at for result in found]
    return round(max(b - a for a, b in itertools.pairwise(times)), 1)


def assert_exactly_once(found: Sequence[Result], sent: int) -> None:
    """No command is missing, none counted twice, none out of order."""
    assert numbers(found) == list(range(sent))
    assert totals(found) == list(range(1, sent + 1))


def wait_for_new_results(results: Results, traffic: Traffic) -> None:
    """Wait for the result of a command that is sent from now on."""
    results.wait_for(
        "counter.results", traffic.key, traffic.sent + 10, deadline_seconds=RECOVERY_SECONDS
    )


def wait_for_restored_checkpoint(flink: Flink, *, at_least: int) -> int:
    """Wait until the job has begun again, from a checkpoint no older than one; gives its number."""

    def restored() -> int:
        found = flink.restored_checkpoint()
        if found is None or found.number < at_least:
            raise NotYet(f"it began from {found}")
        return found.number

    return wait_for(restored, what="the job's restart", deadline_seconds=RECOVERY_SECONDS)
