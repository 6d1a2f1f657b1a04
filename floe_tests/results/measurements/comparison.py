"""How a benchmark is compared with its baseline: what is called a regression.

Repetitions within a run are not independent of each other: a neighbour on the machine makes all of
a run slow. A test that takes them for independent calls every second run a regression
(docs/detection.md has the share). So a regression needs three things: the repetitions differ
(Mann–Whitney), the run's centre lies outside of where those of the baseline's runs put a new one,
as it is or without what all measurements of the run did together, and the change is large enough to
matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, expm1, log
from statistics import mean

from floe_tests.config.measured import BenchmarkSettings
from floe_tests.results.measurements.change_points import change_points
from floe_tests.results.measurements.compared import (
    Compared,
    Own,
    baseline_middle,
    worse_sign,
)
from floe_tests.results.measurements.estimates import (
    Prediction,
    cliffs_delta,
    holm,
    log_centre,
    mann_whitney,
    median_ratio,
    prediction,
)
from floe_tests.results.measurements.movement import Movement, movement
from floe_tests.results.records import MeasurementRecord

_GUESS_COUNTS_LIKE = 4
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# By run, the centres of its measurements, larger where worse; "" is the run that is judged.
_Centres = Mapping[str, Mapping[str, float]]


def with_findings(
    prepared: Sequence[Compared], settings: BenchmarkSettings
) -> tuple[Compared, ...]:
    """Compare each that can be compared, with one account of chance for all of them."""
    tested = [
        place
        for place, each in enumerate(prepared)
        if each.baseline and each.record.finding == "recorded"
    ]
    found = list(prepared)
    centres = _worse_centres([prepared[place] for place in tested])
    sides = {place: _side(prepared[place], settings, centres) for place in tested}
    by_values = holm([sides[place].p_values for place in tested])
    by_run = holm([sides[place].p_run for place in tested])
    for rank, place in enumerate(tested):
        side = sides[place]
        record = prepared[place].record
        certain = by_values[rank] < settings.alpha and by_run[rank] < settings.run_alpha
        base = baseline_middle(prepared[place].baseline)
        large = _is_large(base, base * exp(side.change), record, settings)
        finding = "unchanged"
        if certain and large:
            finding = "regressed" if side.worse > 0 else "improved"
        changes = change_points(
            [*(log_centre(each.record.values) for each in prepared[place].past), side.centre],
            alpha=settings.change_alpha / len(tested),
        )
        change = Compared(
            record=replace(
                record,
                finding=finding,
                change=expm1(side.change),
                change_low=expm1(side.change - side.half_width),
                change_high=expm1(side.change + side.half_width),
            ),
            baseline=prepared[place].baseline,
            past=prepared[place].past,
            changes=changes,
            p_values=(by_values[rank], by_run[rank]),
            delta=side.delta,
            own=side.own,
        )
        if finding == "unchanged" and _has_worsened(change, settings):
            worse = replace(change.record, finding="regressed")
            change = replace(change, record=worse, is_creep=True)
        found[place] = change
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Side:
    """How a measurement compares; `centre` and `change` are logarithms, `worse` has its sign.

    `own` is there where the run without what the others did proves more than the run as it is.
    """

    change: float
    worse: float
    half_width: float
    p_values: float
    p_run: float
    delta: float
    centre: float
    own: Own | None


def _worse_centres(tested: Sequence[Compared]) -> _Centres:
    found: dict[str, dict[str, float]] = {"": {}}
    for each in tested:
        name, sign = each.record.name, worse_sign(each.record)
        found[""][name] = sign * log_centre(each.record.values)
        for old in each.baseline:
            found.setdefault(old.run_id, {})[name] = sign * log_centre(old.record.values)
    return found


def _side(compared: Compared, settings: BenchmarkSettings, of_runs: _Centres) -> _Side:
    record = compared.record
    pool = [value for each in compared.baseline for value in each.record.values]
    change = log(median_ratio(record.values, pool))
    sign, direction = worse_sign(record), 1 if change > 0 else -1
    known = [of_runs[each.run_id] for each in compared.baseline]
    centre = of_runs[""][record.name]
    centres = [run[record.name] for run in known]

    def predicted(value: float, others: Sequence[float]) -> Prediction:
        # One side: the error is that of calling a run worse, and, apart from it, better.
        return prediction(
            sign * direction * value,
            [sign * direction * each for each in others],
            guessed_spread=settings.run_spread,
            weight=_GUESS_COUNTS_LIKE,
        )

    as_it_is = predicted(centre, centres)
    p_run, p_values, own = as_it_is.p, mann_whitney(record.values, pool), None
    together = movement(record.name, of_runs[""], known)
    if together is not None:
        without = predicted(
            centre - together.now,
            [each - moved for each, moved in zip(centres, together.known, strict=True)],
        )
        own_change = change - sign * (together.now - mean(together.known))
        if direction * own_change >= log(1 + settings.min_effect) and without.p < as_it_is.p:
            p_run, own = without.p, _own(own_change, without, together)
            p_values = mann_whitney(
                _without(record, sign * together.now),
                [
                    value
                    for each, moved in zip(compared.baseline, together.known, strict=True)
                    for value in _without(each.record, sign * moved)
                ],
            )
        # Two looks, one account of chance.
        p_run, p_values = min(1.0, 2 * p_run), min(1.0, 2 * p_values)
    return _Side(
        change=change,
        worse=sign * change,
        half_width=as_it_is.half_width,
        p_values=p_values,
        p_run=p_run,
        delta=cliffs_delta(record.values, pool),
        centre=sign * centre,
        own=own,
    )


def _without(record: MeasurementRecord, moved: float) -> list[float]:
    return [value * exp(-moved) for value in record.values]


def _own(change: float, predicted: Prediction, together: Movement) -> Own:
    low, high = change - predicted.half_width, change + predicted.half_width
    return Own(expm1(change), expm1(low), expm1(high), together.others)


def _has_worsened(compared: Compared, settings: BenchmarkSettings) -> bool:
    """Return whether the newest change of the history is for the worse, and large enough.

    A creep of 2 % a run is within every run's noise and carries its own baseline along.
    """
    if not compared.changes:
        return False
    newest, record = compared.changes[-1], compared.record
    is_worse = worse_sign(record) * (newest.after - newest.before) > 0
    return is_worse and _is_large(exp(newest.before), exp(newest.after), record, settings)


def _is_large(
    before: float, after: float, record: MeasurementRecord, settings: BenchmarkSettings
) -> bool:
    """Return whether a change matters: as a share, and in time, of which a scheduler takes some."""
    seconds = _SECONDS.get(record.unit)
    is_long = seconds is None or abs(after - before) * seconds >= settings.min_seconds
    return is_long and abs(log(after / before)) >= log(1 + settings.min_effect)
