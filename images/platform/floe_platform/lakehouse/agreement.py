"""Do the serving database, gold and silver say the same?

Other runs commit while this is asked, so the newest states need not match. What must match is what
belongs together: the serving database remembers the snapshot of gold it was loaded from, and that
snapshot remembers the snapshot of silver it was computed from. Totals that are right and only older
than the newest commits are *behind*; the run that made those commits is about to catch up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from floe_platform.lakehouse.pipeline import (
    DailyTotal,
    add_up,
    newest_silver,
    read_gold,
    read_gold_at,
    totals_of_silver,
)

if TYPE_CHECKING:
    from floe_platform.lakehouse.catalog import Lakehouse
    from floe_platform.lakehouse.serving import Served
    from floe_platform.orders import Totals

GRACE_SECONDS = 30.0
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Agreement:
    """How the three compare.

    Attributes:
        served: What the serving database adds up to.
        gold: What its snapshot of gold adds up to.
        silver: What that one's snapshot of silver adds up to.
        problems: One sentence a contradiction; empty when they agree.
        behind: One sentence for each that newer commits have overtaken.
    """

    served: "Totals"
    gold: "Totals"
    silver: "Totals"
    problems: tuple[str, ...]
    behind: tuple[str, ...]


def compare(lakehouse: "Lakehouse", served: "Served") -> Agreement:
    """Compare the serving database with the snapshots it comes from.

    Args:
        lakehouse: Where gold and silver are.
        served: What the serving database holds.

    Returns:
        The comparison.

    Raises:
        CatalogError: The catalog did not answer within the deadline.
    """
    newest = read_gold(lakehouse)
    gold = newest
    if served.loaded_at is not None and served.snapshot_id != newest.snapshot_id:
        gold = read_gold_at(lakehouse, served.snapshot_id)
    silver = totals_of_silver(lakehouse, gold.silver_snapshot_id)
    problems: list[str] = []
    if served.loaded_at is None:
        problems.append("the serving database was never loaded; materialize serving/daily_totals")
    elif served.snapshot_id != gold.snapshot_id:
        problems.append(f"gold.daily_totals has no snapshot {served.snapshot_id} any more")
    else:
        problems += _differences("the serving database", served.days, "gold", gold.days)
    if silver is None:
        problems.append(f"silver.orders has no snapshot {gold.silver_snapshot_id} any more")
    elif gold.silver_snapshot_id is None and gold.days:
        problems.append("gold.daily_totals was not written by this pipeline; materialize it again")
    else:
        problems += _differences("gold", gold.days, "silver", silver)
    behind: list[str] = []
    if served.snapshot_id != newest.snapshot_id:
        behind.append("gold has a newer snapshot than the serving database was loaded from")
    if newest.silver_snapshot_id != newest_silver(lakehouse):
        behind.append("silver has a newer snapshot than gold was computed from")
    return Agreement(
        served=add_up(served.days),
        gold=add_up(gold.days),
        silver=add_up(silver or ()),
        problems=tuple(problems),
        behind=tuple(behind),
    )


def settle(compare_now: Callable[[], Agreement], *, grace_seconds: float) -> Agreement:
    """Return another run the time to catch up with what it committed.

    Args:
        compare_now: Compares once.
        grace_seconds: For how long totals may be behind before that is the answer.

    Returns:
        The last comparison: at once when something contradicts or nothing is behind.
    """
    deadline = time.monotonic() + grace_seconds
    while True:
        agreement = compare_now()
        if agreement.problems or not agreement.behind or time.monotonic() >= deadline:
            return agreement
        time.sleep(_PAUSE_SECONDS)


def _differences(
    first: str, ours: tuple[DailyTotal, ...], second: str, theirs: tuple[DailyTotal, ...]
) -> list[str]:
    if ours == theirs:
        return []
    mine = {total.day: total for total in ours}
    others = {total.day: total for total in theirs}
    days = sorted(day for day in mine.keys() | others.keys() if mine.get(day) != others.get(day))
    day = days[0]
    sentence = (
        f"{first} and {second} differ on {len(days)} days; on {day} {first} has "
        f"{_say(mine.get(day))}, {second} {_say(others.get(day))}"
    )
    return [sentence]


def _say(total: DailyTotal | None) -> str:
    if total is None:
        return "nothing"
    return f"{total.orders} orders and {total.revenue_cents} cents"
