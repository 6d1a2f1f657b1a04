"""Reads soak.jsonl: what a soak's pod saw of the platform, second by second.

The file comes from a pod and is not trusted: what is no line of the format is counted and said,
never an error. Nor is all of it kept: lines, components and operations have caps, and what a cap
cuts is said too. Source of the format: docs/soak-and-benchmark.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from floe_tests.core.json_values import is_object, number_of, text_of
from floe_tests.exporter.results import SOAK_FILE
from floe_tests.results.cases import cut, legible
from floe_tests.results.formats.json_lines import JsonLines

LINES = 500_000
"""Most lines that are read: 72 hours of 16 pods and 10 operations every 15 s are 450,000."""
NAMES = 200
"""Most components and most operations; a name more is a label that somebody forgot to bound."""
_NAME_BYTES = 200
_CHUNK_BYTES = 256 * 1024
_LARGEST = 1e18
_LONGEST_SECONDS = 60 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at one pod.

    Attributes:
        elapsed: Seconds since the soak began.
        at: The pod's clock, as it wrote it; for people, never for arithmetic.
        component: What the pod is a part of.
        pod: Its name.
        memory: Working set in bytes; None where it was not seen.
        memory_limit: Its limit in bytes; None without one.
        cpu: Cores in use.
        cpu_limit: Its limit in cores.
        disk: Bytes used of its volume.
        disk_limit: The volume's size in bytes.
        restarts: How often its containers were restarted so far.
        oom_kills: How often one ran out of memory so far.
    """

    elapsed: float
    at: str
    component: str
    pod: str
    memory: float | None
    memory_limit: float | None
    cpu: float | None
    cpu_limit: float | None
    disk: float | None
    disk_limit: float | None
    restarts: int
    oom_kills: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one operation did in one interval.

    Attributes:
        elapsed: Seconds since the soak began.
        at: The pod's clock, as it wrote it.
        operation: What was asked of the platform.
        requests: How often.
        errors: How many of these failed.
        p50: Median of their seconds; None without requests.
        p95: 95th percentile of their seconds.
        first_error: Words of the first failure; empty without one.
    """

    elapsed: float
    at: str
    operation: str
    requests: int
    errors: int
    p50: float | None
    p95: float | None
    first_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakLog:
    """A soak, as far as it came.

    Attributes:
        planned_seconds: How long it was to be; None when the file does not begin with it.
        interval_seconds: Seconds between two looks.
        fingerprint: What must be equal for two soaks to be compared.
        samples: Looks at pods, by time.
        loads: Requests, by time.
        gaps: Elapsed seconds and reason of intervals that were not seen.
        end: `completed`, `terminated`, or None when the pod was killed.
        elapsed: Seconds that it ran, as far as a line says.
        notices: What was unreadable, out of order, or cut; a sentence each.
    """

    planned_seconds: float | None = None
    interval_seconds: float = 15
    fingerprint: Mapping[str, object] = field(default_factory=dict[str, object])
    samples: tuple[Sample, ...] = ()
    loads: tuple[Load, ...] = ()
    gaps: tuple[tuple[float, str], ...] = ()
    end: str | None = None
    elapsed: float = 0
    notices: tuple[str, ...] = ()


def read(path: Path) -> SoakLog:
    """Read a soak's file.

    Args:
        path: The file; one that is not there is a soak of which nothing is known.

    Returns:
        What could be read, whatever the file holds.
    """
    reader = _Reader()
    for number, line in enumerate(_lines(path, reader.wrong)):
        if number >= LINES:
            reader.wrong["cut: more lines than any soak writes"] += 1
            break
        reader.take(line)
    return reader.log()


def _lines(path: Path, wrong: Counter[str]) -> Iterator[bytes]:
    lines = JsonLines()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield from lines.feed(chunk)
    except FileNotFoundError:
        wrong["no such file arrived"] += 1
        return
    except OSError as error:
        wrong[f"the file cannot be read: {error.strerror}"] += 1
        return
    if lines.close().strip():
        # Killed while it wrote: half a line says nothing.
        wrong["the last line has no end"] += 1
    if lines.lost_lines:
        wrong["a line too long to keep"] += lines.lost_lines


class _Reader:
    """Takes line after line, and remembers what was wrong."""

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        self._start: dict[str, object] | None = None
        self._samples: list[Sample] = []
        self._loads: list[Load] = []
        self._gaps: list[tuple[float, str]] = []
        self._end: str | None = None
        self._elapsed = 0.0
        self._names: dict[str, set[str]] = {"component": set(), "operation": set()}
        self._seen: set[tuple[str, str, float]] = set()

    def take(self, line: bytes) -> None:
        try:
            value: object = json.loads(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            self.wrong["no JSON"] += 1
            return
        if not is_object(value):
            self.wrong["no JSON object"] += 1
            return
        kind = text_of(value.get("kind"))
        if kind == "start":
            self._begin(value)
            return
        elapsed = number_of(value.get("elapsed"), largest=_LONGEST_SECONDS)
        if elapsed is None:
            self.wrong["`elapsed` is no number of seconds"] += 1
        elif kind == "sample":
            self._take_sample(value, elapsed)
        elif kind == "load":
            self._take_load(value, elapsed)
        elif kind == "gap":
            self._gaps.append((elapsed, _name(value.get("reason"))))
            self._came_to(elapsed)
        elif kind == "end":
            self._end = _name(value.get("reason")) or "unknown"
            self._came_to(elapsed)
        else:
            self.wrong["`kind` is none of start, sample, load, gap, end"] += 1

    def log(self) -> SoakLog:
        start = self._start or {}
        fingerprint = start.get("fingerprint")
        notices = [
            f"{SOAK_FILE}: {count} × {what}" if count > 1 else f"{SOAK_FILE}: {what}"
            for what, count in self.wrong.most_common(20)
        ]
        return SoakLog(
            planned_seconds=number_of(start.get("planned_seconds"), largest=_LONGEST_SECONDS)
            or None,
            interval_seconds=number_of(start.get("interval_seconds"), largest=86_400) or 15,
            fingerprint=fingerprint if is_object(fingerprint) else {},
            samples=tuple(sorted(self._samples, key=lambda each: each.elapsed)),
            loads=tuple(sorted(self._loads, key=lambda each: each.elapsed)),
            gaps=tuple(sorted(self._gaps)),
            end=self._end,
            elapsed=self._elapsed,
            notices=tuple(notices),
        )

    def _begin(self, value: dict[str, object]) -> None:
        if self._start is None:
            self._start = value
        else:
            self.wrong["a second `start`"] += 1

    def _came_to(self, elapsed: float) -> None:
        self._elapsed = max(self._elapsed, elapsed)

    def _is_known(self, kind: str, name: str) -> bool:
        names = self._names[kind]
        if name not in names and len(names) >= NAMES:
            self.wrong[f"cut: more than {NAMES} names of {kind}s"] += 1
            return False
        names.add(name)
        return True

    def _is_first(self, kind: str, name: str, elapsed: float) -> bool:
        key = (kind, name, elapsed)
        if key in self._seen:
            self.wrong[f"a second {kind} of one moment"] += 1
            return False
        self._seen.add(key)
        return True

    def _take_sample(self, value: dict[str, object], elapsed: float) -> None:
        component, pod = _name(value.get("component")), _name(value.get("pod"))
        if not component or not pod:
            self.wrong["a sample without component or pod"] += 1
            return
        known = self._is_known("component", component)
        if not known or not self._is_first("sample", f"{component}/{pod}", elapsed):
            return
        self._came_to(elapsed)
        self._samples.append(
            Sample(
                elapsed=elapsed,
                at=_name(value.get("at")),
                component=component,
                pod=pod,
                memory=self._amount(value, "memory_bytes"),
                memory_limit=self._amount(value, "memory_limit_bytes") or None,
                cpu=self._amount(value, "cpu_cores"),
                cpu_limit=self._amount(value, "cpu_limit_cores") or None,
                disk=self._amount(value, "disk_bytes"),
                disk_limit=self._amount(value, "disk_limit_bytes") or None,
                restarts=int(self._amount(value, "restarts") or 0),
                oom_kills=int(self._amount(value, "oom_kills") or 0),
            )
        )

    def _take_load(self, value: dict[str, object], elapsed: float) -> None:
        operation = _name(value.get("operation"))
        if not operation:
            self.wrong["a load without an operation"] += 1
            return
        known = self._is_known("operation", operation)
        if not known or not self._is_first("load", operation, elapsed):
            return
        self._came_to(elapsed)
        requests = int(self._amount(value, "requests") or 0)
        errors = int(self._amount(value, "errors") or 0)
        if errors > requests:
            self.wrong["more errors than requests"] += 1
            requests = errors
        self._loads.append(
            Load(
                elapsed=elapsed,
                at=_name(value.get("at")),
                operation=operation,
                requests=requests,
                errors=errors,
                p50=self._amount(value, "p50_seconds") if requests else None,
                p95=self._amount(value, "p95_seconds") if requests else None,
                first_error=_name(value.get("first_error")),
            )
        )

    def _amount(self, value: dict[str, object], name: str) -> float | None:
        found = value.get(name)
        number = number_of(found, largest=_LARGEST)
        if number is None and found is not None:
            self.wrong[f"`{name}` is no amount"] += 1
        return number


def _name(value: object) -> str:
    return cut(legible(text_of(value)), _NAME_BYTES)
