"""Makes the topics that are not there yet, once the broker answers.

Kafka's own program is a Java of its own for each topic: twenty seconds of two cores before the job
may begin. This is its one request, in the form that brokers from 0.11 to 4 understand.

Source: https://kafka.apache.org/protocol#The_Messages_CreateTopics
"""

import argparse
import io
import socket
import struct
import sys
import time

_CREATE_TOPICS = 19
_VERSION = 2
_CORRELATION = 1
_CLIENT = b"statefun-setup"
_TIMEOUT_SECONDS = 30

_DONE = 0
_IS_THERE = 36
_LARGEST_ANSWER = 1 << 20


class NotYetError(Exception):
    """The broker cannot do it yet; the message is what it said."""


def request(topics: list[str], *, partitions: int) -> bytes:
    """Return the request for some topics, of one replica each."""
    body = struct.pack(">i", len(topics))
    for topic in topics:
        # Neither assignments of replicas nor options: the broker's own.
        body += _text(topic.encode()) + struct.pack(">ihii", partitions, 1, 0, 0)
    body += struct.pack(">i?", _TIMEOUT_SECONDS * 1000, False)  # noqa: FBT003 - only to validate
    header = struct.pack(">hhi", _CREATE_TOPICS, _VERSION, _CORRELATION) + _text(_CLIENT)
    return struct.pack(">i", len(header) + len(body)) + header + body


def outcomes(answer: bytes) -> dict[str, tuple[int, str]]:
    """Read the answer: error code and message of each topic."""
    _correlation, _throttled, count = struct.unpack_from(">iii", answer)
    found: dict[str, tuple[int, str]] = {}
    offset = 12
    for _ in range(count):
        topic, offset = _read_text(answer, offset)
        (code,) = struct.unpack_from(">h", answer, offset)
        message, offset = _read_text(answer, offset + 2)
        found[topic] = (code, message)
    return found


def create(address: tuple[str, int], topics: list[str], *, partitions: int) -> None:
    """Make topics.

    Raises:
        NotYetError: One of them could not be made.
        OSError: The broker does not answer.
    """
    with socket.create_connection(address, timeout=_TIMEOUT_SECONDS + 5) as connection:
        connection.sendall(request(topics, partitions=partitions))
        stream = connection.makefile("rb")
        (length,) = struct.unpack(">i", _read(stream, 4))
        if not 0 < length < _LARGEST_ANSWER:
            raise NotYetError(f"an answer of {length} bytes")
        found = outcomes(_read(stream, length))
    for topic in topics:
        code, message = found.get(topic, (-1, "the broker says nothing of it"))
        if code == _DONE:
            print(f"topic {topic} is made", flush=True)
        elif code == _IS_THERE:
            print(f"topic {topic} is there", flush=True)
        else:
            raise NotYetError(f"topic {topic}: error {code}: {message}")


def _text(value: bytes) -> bytes:
    return struct.pack(">h", len(value)) + value


def _read_text(answer: bytes, offset: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", answer, offset)
    offset += 2
    # -1 is none.
    end = offset + max(length, 0)
    return answer[offset:end].decode(), end


def _read(stream: "io.BufferedReader", length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise NotYetError("the broker hung up")
    return data


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("broker", help="HOST:PORT")
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--deadline-seconds", type=float, required=True)
    arguments = parser.parse_args()
    host, _, port = arguments.broker.rpartition(":")
    deadline = time.monotonic() + arguments.deadline_seconds
    while True:
        try:
            create((host, int(port)), arguments.topics, partitions=arguments.partitions)
        except (OSError, NotYetError) as error:
            if time.monotonic() >= deadline:
                sys.exit(f"create_topics.py: {arguments.broker}: not in time; last seen: {error}")
            time.sleep(0.5)
        else:
            return


if __name__ == "__main__":
    main()
