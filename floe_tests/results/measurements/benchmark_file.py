"""Reads benchmark.json: what a benchmark's pod measured.

It is written anew after each measurement, so a killed pod leaves what it had. The file is not
trusted: what is no measurement is said, never an error.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from floe_tests.core.json_values import is_array, is_object, number_of, text_of
from floe_tests.exporter.results import BENCHMARK_FILE
from floe_tests.results.cases import cut, legible

MEASUREMENTS = 200
"""Most measurements of a benchmark."""
VALUES = 10_000
"""Most repetitions of a measurement."""
_LIMIT_BYTES = 16 * 1024 * 1024
_NAME_BYTES = 200
_UNIT_BYTES = 20
_LARGEST = 1e15
_SMALLEST = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One thing that was measured.

    Attributes:
        name: What.
        unit: Of its values.
        better: Whether `lower` or `higher` values are better.
        values: The repetitions in order, all above 0, the warm-up left out.
    """

    name: str
    unit: str
    better: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A benchmark, as far as it came.

    Attributes:
        fingerprint: What must be equal for two benchmarks to be compared.
        measurements: What was measured, each name once.
        notices: What could not be used, a sentence each.
    """

    fingerprint: Mapping[str, object] = field(default_factory=dict[str, object])
    measurements: tuple[Measurement, ...] = ()
    notices: tuple[str, ...] = ()


def read(path: Path) -> Benchmark:
    """Read a benchmark's file.

    Args:
        path: The file; one that is not there is a benchmark that measured nothing.

    Returns:
        What could be read, whatever the file holds.
    """
    wrong: Counter[str] = Counter()
    value = _document(path, wrong)
    fingerprint = value.get("fingerprint")
    found: dict[str, Measurement] = {}
    listed = value.get("measurements")
    for each in listed[:MEASUREMENTS] if is_array(listed) else []:
        measurement = _measurement(each, wrong)
        if measurement is None:
            continue
        if measurement.name in found:
            wrong["a second measurement of one name"] += 1
            continue
        found[measurement.name] = measurement
    if is_array(listed) and len(listed) > MEASUREMENTS:
        wrong[f"cut: more than {MEASUREMENTS} measurements"] += 1
    return Benchmark(
        fingerprint=fingerprint if is_object(fingerprint) else {},
        measurements=tuple(found.values()),
        notices=tuple(
            f"{BENCHMARK_FILE}: {count} × {what}" if count > 1 else f"{BENCHMARK_FILE}: {what}"
            for what, count in wrong.most_common(20)
        ),
    )


def _document(path: Path, wrong: Counter[str]) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        wrong["no such file arrived"] += 1
        return {}
    except OSError as error:
        wrong[f"the file cannot be read: {error.strerror}"] += 1
        return {}
    if len(content) > _LIMIT_BYTES:
        wrong[f"larger than {_LIMIT_BYTES >> 20} MiB"] += 1
        return {}
    try:
        value: object = json.loads(content.decode(errors="replace"))
    except (ValueError, RecursionError):
        wrong["no JSON"] += 1
        return {}
    if not is_object(value):
        wrong["no JSON object"] += 1
        return {}
    return value


def _measurement(value: object, wrong: Counter[str]) -> Measurement | None:
    if not is_object(value):
        wrong["a measurement that is no object"] += 1
        return None
    name = cut(legible(text_of(value.get("name"))), _NAME_BYTES)
    better = text_of(value.get("better"))
    listed = value.get("values")
    if not name or better not in {"lower", "higher"} or not is_array(listed):
        wrong["a measurement without name, values, or `better` as lower or higher"] += 1
        return None
    if len(listed) > VALUES:
        wrong[f"{name}: cut: more than {VALUES} values"] += 1
    found = (number_of(each, smallest=_SMALLEST, largest=_LARGEST) for each in listed[:VALUES])
    values = [number for number in found if number is not None]
    lost = min(len(listed), VALUES) - len(values)
    if lost:
        wrong[f"{name}: a value that is no number above 0"] += lost
    return Measurement(
        name=name,
        unit=cut(legible(text_of(value.get("unit"))), _UNIT_BYTES),
        better=better,
        values=tuple(values),
    )
