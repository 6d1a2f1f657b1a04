"""What a soak or a benchmark came to, before anybody calls it a verdict.

The rules live in soak.py and benchmark.py, the table of verdicts in execution/verdict/rules.py;
this is what passes between them: evidence, sorted by what it speaks for, and the numbers for the
history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from floe_tests.core.evidence import Evidence
from floe_tests.core.json_values import is_array, is_object
from floe_tests.results.records import MeasurementRecord, SoakRecord

_DIGEST_CHARACTERS = 16


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Evidence by what it speaks for; most telling first.

    Attributes:
        achieved: How far it came; of every soak.
        broken: Hard limits that were passed.
        drifts: Growth that reaches a limit.
        regressions: Measurements that became worse.
        doubts: Why there is less than a judgement needs.
        notes: What is to be said of a good one: improvements, a baseline that was recorded.
        measurements: What a benchmark measured.
        soak: What a soak's components did.
        notices: What was unreadable.
    """

    achieved: tuple[Evidence, ...] = ()
    broken: tuple[Evidence, ...] = ()
    drifts: tuple[Evidence, ...] = ()
    regressions: tuple[Evidence, ...] = ()
    doubts: tuple[Evidence, ...] = ()
    notes: tuple[Evidence, ...] = ()
    measurements: tuple[MeasurementRecord, ...] = ()
    soak: tuple[SoakRecord, ...] = ()
    notices: tuple[str, ...] = ()

    def and_also(self, other: Judgement) -> Judgement:
        """Return both: a suite may be a soak and a benchmark."""
        return replace(
            self,
            **{
                each.name: (*getattr(self, each.name), *getattr(other, each.name))
                for each in fields(Judgement)
            },
        )


def fingerprint_digest(fingerprint: Mapping[str, object]) -> str:
    """Return a digest that two fingerprints share when they are equal; empty for an empty one.

    The order of names does not count, nor does 1 against 1.0: JSON's writers differ in both.
    """
    if not fingerprint:
        return ""
    text = json.dumps(_plain(fingerprint), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_DIGEST_CHARACTERS]


def platform_identity(platform: Mapping[str, object]) -> str:
    """Return what a run ran against in one line: charts, versions, a digest of all images.

    Args:
        platform: What was installed or found, as the history holds it.
    """
    found = platform.get("fingerprint")
    if is_object(found):
        name = f"{found.get('chart')} (app {found.get('version')})"
        return f"{name}, images {_digest(found.get('digests'))}"
    releases = platform.get("releases")
    each_release = [each for each in releases if is_object(each)] if is_array(releases) else []
    if not each_release:
        return ""
    names = (
        f"{each.get('chart')} {each.get('version')} (app {each.get('app_version')})"
        for each in each_release
    )
    images = _digest(sorted(json.dumps(each.get("images")) for each in each_release))
    return f"{', '.join(names)}, images {images}"


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def _plain(value: object) -> object:
    if is_object(value):
        return {name: _plain(inner) for name, inner in value.items()}
    if is_array(value):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(evidence: Sequence[Evidence], most: int = 20) -> tuple[Evidence, ...]:
    """Keep what people can read."""
    if len(evidence) <= most:
        return tuple(evidence)
    more = Evidence("and more", "findings", f"{len(evidence) - most} are left out")
    return (*evidence[:most], more)
