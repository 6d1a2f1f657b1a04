"""What all measurements of a run did together, which is the machine's part in each of them.

A machine that others share is slower or faster for a whole run, by 7 % and more from one run to the
next, and takes all measurements along. What one of them did besides is seen through far less noise:
on such a machine a pipeline that became slower by 20 % lay within the spread of its runs, and far
outside of that of the runs' rest (docs/decisions/0026).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

# The median of fewer follows one of them.
FEWEST_OTHERS = 4


@dataclass(frozen=True, slots=True)
class Movement:
    """How far the other measurements of each run lay from where they lie in the baseline.

    Logarithms, above zero where the others were worse.

    Attributes:
        now: Of the run that is judged.
        known: Of the baseline's runs, in their order.
        others: How many measurements it is the median of.
    """

    now: float
    known: tuple[float, ...]
    others: int


def movement(
    name: str, now: Mapping[str, float], known: Sequence[Mapping[str, float]]
) -> Movement | None:
    """Return what the measurements beside one did.

    Args:
        name: The one.
        now: By measurement, the logarithm of its centre in the run that is judged, larger where it
            is worse.
        known: The same of each run of the one's baseline.

    Returns:
        None where fewer than four others were taken in all of these runs.
    """
    others = [each for each in now if each != name and all(each in run for run in known)]
    if len(others) < FEWEST_OTHERS or not known:
        return None
    usual = {each: mean(run[each] for run in known) for each in others}
    moved = [median(run[each] - usual[each] for each in others) for run in (now, *known)]
    return Movement(moved[0], tuple(moved[1:]), len(others))
