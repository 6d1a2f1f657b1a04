"""Commands into Kafka, and everything that the job answers, collected as it is committed."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from platform_suite.deadline import NotYet, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTER = "counter"
TTL = "ttl"
GREETER = "greeter"
DEAD_LETTERS = "dead-letters"
RESULT_TOPICS = ("counter.results", "ttl.results", "greeter.results", DEAD_LETTERS)

# Results are committed with a checkpoint, five seconds apart, and a checkpoint takes its time on a
# busy machine.
RESULT_SECONDS = 60.0
_DELIVERY_SECONDS = 60.0


def new_key(name: str) -> str:
    """Return a key that no other test and no other run has: each has a state of its own."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


def counted(number: int) -> bytes:
    """Return the command that adds one, with the sender's own count."""
    return json.dumps({"delta": 1, "number": number}).encode()


@dataclass(frozen=True)
class Result:
    """One record that the job wrote.

    Attributes:
        value: Its value, JSON.
        seen_at: When it was seen here, on the monotonic clock.
    """

    value: Mapping[str, Any]
    seen_at: float


class Commands:
    """Sends records to the job, each exactly once."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})

    @classmethod
    def of_this_pod(cls) -> Commands:
        """Send to the broker that the Job names."""
        return cls(os.environ["KAFKA_BOOTSTRAP_SERVERS"])

    def send(self, function: str, key: str, *values: bytes) -> None:
        """Send records under one key, and wait until the broker has them."""
        for value in values:
            self._producer.produce(f"{function}.commands", key=key, value=value)
        self.deliver()

    def send_one(self, function: str, key: str, value: bytes) -> None:
        """Hand a record to the client, which sends it when it likes."""
        self._producer.produce(f"{function}.commands", key=key, value=value)

    def deliver(self) -> None:
        """Wait until the broker has all."""
        left = self._producer.flush(_DELIVERY_SECONDS)
        assert left == 0, f"{left} records were not delivered within {_DELIVERY_SECONDS:g} s"


class Results:
    """Everything that was committed to the topics of results, from their beginning.

    A thread reads them while the tests run: a test asks what there is, and never misses a record
    that came before it asked.
    """

    def __init__(self, bootstrap: str) -> None:
        self._records: defaultdict[tuple[str, str], list[Result]] = defaultdict(list)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._failure: KafkaException | None = None
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"statefun-tests-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        self._thread = threading.Thread(target=self._read, name="results", daemon=True)

    @classmethod
    def of_this_pod(cls) -> Results:
        """Read from the broker that the Job names."""
        return cls(os.environ["KAFKA_BOOTSTRAP_SERVERS"])

    def start(self) -> None:
        """Begin to read."""
        topics = self._consumer.list_topics(timeout=_DELIVERY_SECONDS).topics
        self._consumer.assign(
            [
                TopicPartition(name, partition, OFFSET_BEGINNING)
                for name in RESULT_TOPICS
                for partition in topics[name].partitions
            ]
        )
        self._thread.start()

    def stop(self) -> None:
        """End the reading."""
        self._ending.set()
        self._thread.join()
        self._consumer.close()

    def of(self, topic: str, key: str) -> tuple[Result, ...]:
        """Return what was written for a key so far, in the order of the topic."""
        if self._failure is not None:
            raise self._failure
        with self._lock:
            return tuple(self._records[topic, key])

    def wait_for(
        self, topic: str, key: str, count: int, *, deadline_seconds: float = RESULT_SECONDS
    ) -> tuple[Result, ...]:
        """Wait until at least so many results are there, and give all of them."""

        def enough() -> tuple[Result, ...]:
            found = self.of(topic, key)
            if len(found) < count:
                last = found[-1].value if found else None
                raise NotYet(f"{len(found)} of {count} results, the last one {last}")
            return found

        return wait_for(enough, what=f"{topic} of {key}", deadline_seconds=deadline_seconds)

    def _read(self) -> None:
        while not self._ending.is_set():
            message = self._consumer.poll(0.25)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.retriable():
                    continue
                self._failure = KafkaException(error)
                return
            key = message.key()
            # The job's results have the key of the function's address; others are not the job's.
            if key is not None:
                result = Result(value=json.loads(message.value()), seen_at=time.monotonic())
                with self._lock:
                    self._records[message.topic(), key.decode()].append(result)


class Traffic:
    """Commands of one key at a steady pace, from a thread, while a test does something else."""

    def __init__(self, commands: Commands, key: str, *, a_second: float = 20) -> None:
        self.key = key
        self.sent = 0
        self._commands = commands
        self._pause_seconds = 1 / a_second
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End it; gives how many commands were sent."""
        self._ending.set()
        self._thread.join()
        self._commands.deliver()
        return self.sent

    def _send(self) -> None:
        while not self._ending.wait(self._pause_seconds):
            self._commands.send_one(COUNTER, self.key, counted(self.sent))
            self.sent += 1
