"""Each rule of a soak: what breaks it, what does not, and what is too little to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.measured import SoakSettings
from floe_tests.results.measurements import soak, soak_log
from floe_tests.results.measurements.soak_growth import Known
from floe_tests.results.measurements.soak_series import METRICS, component_series
from floe_tests.results.records import SoakRecord
from tests.support.soaks import MIB, sample, soak_lines, write_lines

Lines = list[dict[str, object]]


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., soak.Judged]:
    def judge(lines: Lines, known: Known | None = None, **settings: Any) -> soak.Judged:
        rules = SoakSettings.model_validate(settings)
        return soak.judge(soak_log.read(write_lines(tmp_path, lines)), rules, known=known)

    return judge


def changed(lines: Lines, since: float, component: str = "cube", **values: object) -> Lines:
    """Change a component's samples from a second on."""
    return [
        {**each, **values}
        if each.get("component") == component and float(str(each["elapsed"])) >= since
        else each
        for each in lines
    ]


def test_a_healthy_soak_has_no_finding(judged: Callable[..., soak.Judged]) -> None:
    found = judged(soak_lines()).judgement

    assert (found.broken, found.drifts, found.doubts) == ((), (), ())
    assert str(found.achieved[0]) == "soak achieved: 10.0 min of 10.0 min, completed"
    assert "this is the first good run here" in str(found.notes[0])


BROKEN: dict[str, tuple[Callable[[Lines], Lines], dict[str, Any], str]] = {
    "a restart": (
        lambda lines: changed(lines, 300, restarts=1),
        {},
        "pod/cube-0 cube restarts: 1, 0 allowed in all, 1 seen at 2026-11-20T12:05:00+00:00",
    ),
    "a restart that the counter forgot": (
        lambda lines: changed(changed(lines, 0, restarts=7), 300, restarts=1),
        {},
        "cube restarts: 1, 0 allowed in all, 1 seen",
    ),
    "a pod in the place of another": (
        lambda lines: changed(lines, 300, pod="cube-other"),
        {},
        "pod/cube-other cube replaced: a new pod in the place of another",
    ),
    "a pod beside the one that it replaces": (
        lambda lines: [
            *changed(lines, 300, pod="cube-other"),
            *(
                {**each, "pod": "cube-0"}
                for each in lines
                if each.get("component") == "cube" and 300 <= float(str(each["elapsed"])) < 360
            ),
        ],
        {},
        "pod/cube-other cube replaced: a new pod in the place of another",
    ),
    "out of memory": (
        lambda lines: changed(lines, 300, oom_kills=2, restarts=2),
        {"max_restarts": 9},
        "cube OOM kills: 2, none is allowed",
    ),
    "memory above its ceiling": (
        lambda lines: changed(lines, 590, memory_bytes=950 * MIB),
        {},
        "memory of pod/cube-0: 950.0 MiB, 93% of its limit of 1,024.0 MiB; at most 90%",
    ),
    "disk above its ceiling": (
        lambda lines: changed(lines, 0, disk_bytes=900 * MIB),
        {},
        "disk of pod/cube-0: 900.0 MiB, 88% of its limit",
    ),
    "CPU above its ceiling": (
        lambda lines: changed(lines, 300, cpu_cores=0.95),
        {"ceilings": {"cpu": 0.9}},
        "cpu of pod/cube-0: 0.95 cores, 95% of its limit of 1 cores",
    ),
    "an error above the budget": (
        lambda lines: [
            {**each, "errors": 1, "first_error": "503"} if each.get("elapsed") == 300 else each
            for each in lines
        ],
        {},
        "totals errors: 1 of 492 requests (0.20%); the budget is 0.10%; first: 503",
    ),
    "latency above its ceiling": (
        lambda lines: [
            {**each, "p95_seconds": 4.0} if float(str(each.get("elapsed", 0))) > 540 else each
            for each in lines
        ],
        {"latency_seconds": {"*": 2}},
        "totals p95 latency: above 2 s in 4 of 41 intervals, at worst 4 s",
    ),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_hard_limit_is_named_with_component_value_limit_and_time(
    judged: Callable[..., soak.Judged], why: str
) -> None:
    change, settings, words = BROKEN[why]

    found = judged(change(soak_lines()), **settings).judgement

    assert any(words in str(each) for each in found.broken), found.broken


WITHIN: dict[str, tuple[Callable[[Lines], Lines], dict[str, Any]]] = {
    "restarts before the soak began": (lambda lines: changed(lines, 0, restarts=5), {}),
    "as many restarts as are allowed": (
        lambda lines: changed(lines, 300, restarts=1),
        {"max_restarts": 1},
    ),
    "pods that come and go by design": (
        lambda lines: changed(lines, 300, pod="cube-other", restarts=1),
        {"transient": ["cube"]},
    ),
    "one pod more": (
        lambda lines: [
            *lines,
            *(
                {**each, "pod": "cube-1"}
                for each in lines
                if each.get("component") == "cube" and float(str(each["elapsed"])) >= 300
            ),
        ],
        {},
    ),
    "memory without a limit": (
        lambda lines: changed(lines, 0, memory_limit_bytes=None, memory_bytes=9000 * MIB),
        {},
    ),
    "no ceiling": (
        lambda lines: changed(lines, 0, disk_bytes=1020 * MIB),
        {"ceilings": {"disk": None}},
    ),
    "a processor busy for a moment": (
        lambda lines: changed(changed(lines, 300, cpu_cores=0.95), 315, cpu_cores=0.1),
        {"ceilings": {"cpu": 0.9}},
    ),
    "an error within the budget": (
        lambda lines: changed(
            [{**each, "errors": 1} if each.get("elapsed") == 300 else each for each in lines], 0
        ),
        {"error_budget": 0.01},
    ),
    "one slow interval": (
        lambda lines: [
            {**each, "p95_seconds": 4.0} if each.get("elapsed") == 300 else each for each in lines
        ],
        {"latency_seconds": {"totals": 2}},
    ),
}


@pytest.mark.parametrize("why", WITHIN)
def test_what_is_within_the_limits_is_no_finding(
    judged: Callable[..., soak.Judged], why: str
) -> None:
    change, settings = WITHIN[why]

    assert judged(change(soak_lines()), **settings).judgement.broken == ()


DOUBTS: dict[str, tuple[Lines, dict[str, Any], str]] = {
    "cut short": (
        soak_lines(minutes=10, planned=60, end="terminated"),
        {},
        "soak achieved: 10.0 min of 60.0 min, terminated",
    ),
    "killed": (
        soak_lines(minutes=10, planned=480, end=None),
        {},
        "soak achieved: 10.0 min of 8.0 h, it was killed",
    ),
    "too short for a judgement": (soak_lines(minutes=4), {}, "at least 5 min are needed"),
    "nothing arrived": ([], {}, "soak samples: none arrived"),
    "no plan": (soak_lines()[1:], {}, "no line says how long it was to be"),
    "nobody asked anything": (soak_lines(requests=0), {}, "an idle platform proves nothing"),
    "gaps": (
        [
            each
            for each in soak_lines()
            if not (each.get("component") == "cube" and 200 < float(str(each["elapsed"])) < 400)
        ]
        + [{"kind": "gap", "elapsed": 210.0, "reason": "the kubelet did not answer"}],
        {},
        "cube intervals seen: 28 of 39, at least 90% are needed; most often: the kubelet did",
    ),
    "too few looks": (
        soak_lines(minutes=5),
        {},
        "too few after the warm-up to say whether its memory grows",
    ),
}


@pytest.mark.parametrize("why", DOUBTS)
def test_too_little_to_say_is_said_with_what_was_achieved(
    judged: Callable[..., soak.Judged], why: str
) -> None:
    lines, settings, words = DOUBTS[why]

    found = judged(lines, **settings).judgement

    assert any(words in str(each) for each in found.doubts), found.doubts
    assert found.achieved


def test_a_leak_is_found_in_ten_minutes_with_component_slope_and_hours(
    judged: Callable[..., soak.Judged],
) -> None:
    found = judged(soak_lines(memory=lambda seconds: 400 + 12 * seconds / 60)).judgement

    (drift,) = found.drifts
    assert drift.subject == "cube"
    assert drift.field == "memory growth"
    assert "to the limit of 1,024.0 MiB in 0." in drift.value
    assert "Theil–Sen" in drift.value
    assert found.broken == ()


def test_a_leak_that_is_exempt_or_of_a_transient_component_is_none(
    judged: Callable[..., soak.Judged],
) -> None:
    lines = soak_lines(memory=lambda seconds: 400 + 12 * seconds / 60)

    exempt = judged(lines, drift={"exempt": ["cube/memory"]})
    assert exempt.judgement.drifts == ()
    assert [each.finding for each in exempt.judgement.soak if each.component == "cube"] == [
        "exempt",
        "within",
        "within",
    ]
    assert judged(lines, transient=["cube"]).judgement.drifts == ()


def test_growth_in_the_warm_up_is_not_looked_at(judged: Callable[..., soak.Judged]) -> None:
    lines = soak_lines(memory=lambda seconds: min(600.0, 300 + 3 * seconds))

    assert judged(lines).judgement.drifts == ()


def test_latency_that_grows_towards_its_ceiling_is_a_drift(
    judged: Callable[..., soak.Judged],
) -> None:
    lines = [
        {**each, "p95_seconds": 0.2 + float(str(each["elapsed"])) / 900}
        if each["kind"] == "load"
        else each
        for each in soak_lines()
    ]

    (drift,) = judged(lines, latency_seconds={"totals": 3}).judgement.drifts
    assert (drift.subject, drift.field) == ("totals", "latency growth")
    assert judged(lines).judgement.drifts == ()


@pytest.mark.parametrize("phase", [0.0, 7.4, 14.9])
def test_the_pods_of_a_component_are_added_up_and_a_missing_one_is_no_dip(phase: float) -> None:
    """Pods are sampled one after the other, and not on the tick: an interval is not a rounding."""
    seen = [
        _sample(15.0 * place + phase + late, pod)
        for place in range(4)
        for pod, late in (("a", 0.0), ("b", 0.4 + place))
        if (place, pod) != (2, "b")
    ]
    series = component_series(seen, "memory", 15)

    assert series is not None
    assert list(series.values) == [20.0, 20.0, 20.0]
    assert series.limit == 200.0


def _sample(elapsed: float, pod: str) -> soak_log.Sample:
    return soak_log.Sample(
        elapsed=elapsed,
        at="",
        component="cube",
        pod=pod,
        memory=10.0,
        memory_limit=100.0,
        cpu=None,
        cpu_limit=None,
        disk=None,
        disk_limit=None,
        restarts=0,
        oom_kills=0,
    )


def test_after_a_restart_only_the_new_container_is_asked_for_growth(
    judged: Callable[..., soak.Judged],
) -> None:
    """A restart empties memory: over both, the slope of a leak would be lost."""
    lines = changed(
        soak_lines(
            minutes=30, memory=lambda seconds: 800.0 if seconds < 900 else 400 + seconds / 20
        ),
        900,
        restarts=1,
    )

    found = judged(lines, max_restarts=1)

    assert found.drifts["cube", "memory"].hours == pytest.approx(0.25)
    assert [each.subject for each in found.judgement.drifts] == ["cube"]


def test_the_last_good_run_is_what_a_soak_is_compared_with(
    judged: Callable[..., soak.Judged],
) -> None:
    first = judged(soak_lines())
    known: dict[tuple[str, str], SoakRecord] = {
        (each.component, each.metric): each for each in first.judgement.soak
    }

    again = judged(soak_lines(memory=lambda seconds: 400 + 12 * seconds / 60), known)

    assert "CUSUM against the last good run" in again.judgement.drifts[0].value
    assert "the last good run" in str(again.judgement.notes[0])


def test_every_component_and_operation_is_a_row_of_the_history(
    judged: Callable[..., soak.Judged],
) -> None:
    rows = {(each.component, each.metric): each for each in judged(soak_lines()).judgement.soak}

    assert set(rows) == {
        *((component, metric) for component in ("cube", "postgres") for metric in METRICS),
        ("totals", "latency"),
        ("totals", "errors"),
    }
    assert rows["cube", "memory"].slope_per_hour is not None
    assert rows["totals", "errors"].median == 0
    assert len({each.fingerprint for each in rows.values()}) == 1


def test_a_soak_of_one_sample_does_not_break_it(judged: Callable[..., soak.Judged]) -> None:
    assert judged([sample(0)]).judgement.doubts
