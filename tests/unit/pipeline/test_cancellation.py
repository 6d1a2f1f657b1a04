"""Which runs a newer one supersedes, and which ones somebody means: decided on plain values."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from floe_tests.pipeline.cancellation import ActiveRun, chosen, superseded

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)


def run(
    name: str,
    *,
    age: int,
    tier: str = "unit",
    ref: str | None = "main",
    is_starting: bool = False,
) -> ActiveRun:
    return ActiveRun(
        run_id=f"{name}-0000-1111",
        tier=tier,
        ref=ref,
        created_at=BEGAN - timedelta(seconds=age),
        is_starting=is_starting,
    )


@pytest.mark.parametrize(
    ("runs", "cancelled"),
    [
        pytest.param([], [], id="no run"),
        pytest.param([run("aaaaaaaa", age=1)], [], id="one run"),
        pytest.param(
            [
                run("bbbbbbbb", age=1, tier="staging-benchmark"),
                run("aaaaaaaa", age=9000, tier="staging-soak"),
            ],
            [],
            id="a benchmark beside a soak of the same ref",
        ),
        pytest.param(
            [run("bbbbbbbb", age=1), run("aaaaaaaa", age=2)],
            [("aaaaaaaa", "superseded by run bbbbbbbb on main")],
            id="the older of two",
        ),
        pytest.param(
            [run("cccccccc", age=1), run("aaaaaaaa", age=3), run("bbbbbbbb", age=2)],
            [
                ("aaaaaaaa", "superseded by run cccccccc on main"),
                ("bbbbbbbb", "superseded by run cccccccc on main"),
            ],
            id="all but the newest, oldest first",
        ),
        pytest.param(
            [run("aaaaaaaa", age=2), run("bbbbbbbb", age=1, ref="next")], [], id="another ref"
        ),
        pytest.param(
            [run("aaaaaaaa", age=2), run("bbbbbbbb", age=1, tier="soak")], [], id="another tier"
        ),
        pytest.param(
            [run("aaaaaaaa", age=2, ref="unknown"), run("bbbbbbbb", age=1, ref="unknown")],
            [],
            id="two whose ref nobody could tell",
        ),
        pytest.param(
            [run("aaaaaaaa", age=2, ref=None), run("bbbbbbbb", age=1, ref=None)],
            [],
            id="two without a ref yet",
        ),
        pytest.param(
            [run("aaaaaaaa", age=2), run("bbbbbbbb", age=1, ref="refs/heads/main")],
            [("aaaaaaaa", "superseded by run bbbbbbbb on refs/heads/main")],
            id="a branch as git and as GitHub write it",
        ),
        pytest.param(
            [run("aaaaaaaa", age=2, ref="refs/tags/main"), run("bbbbbbbb", age=1)],
            [],
            id="a tag with a branch's name",
        ),
        pytest.param(
            [run("aaaaaaaa", age=2), run("bbbbbbbb", age=1, is_starting=True)],
            [("aaaaaaaa", "superseded by run bbbbbbbb on main")],
            id="a newer one that is starting counts",
        ),
        pytest.param(
            [run("aaaaaaaa", age=2, is_starting=True), run("bbbbbbbb", age=1)],
            [],
            id="an older one that is starting is left for the next look",
        ),
        pytest.param(
            [run("aaaaaaaa", age=1), run("bbbbbbbb", age=1)],
            [("aaaaaaaa", "superseded by run bbbbbbbb on main")],
            id="of two at the same moment one stays, always the same",
        ),
    ],
)
def test_all_but_the_newest_of_a_tier_and_ref_are_superseded(
    runs: list[ActiveRun], cancelled: list[tuple[str, str]]
):
    assert [(item.run.run_id[:8], item.reason) for item in superseded(runs)] == cancelled
    assert [(item.run.run_id[:8], item.reason) for item in superseded(runs[::-1])] == cancelled


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        pytest.param({"ref": "main"}, ["aaaaaaaa", "bbbbbbbb"], id="by ref"),
        pytest.param({"ref": "refs/heads/main"}, ["aaaaaaaa", "bbbbbbbb"], id="by ref, in full"),
        pytest.param({"tier": "soak"}, ["bbbbbbbb"], id="by tier"),
        pytest.param({"ref": "main", "tier": "unit"}, ["aaaaaaaa"], id="by both"),
        pytest.param({"run_id": "cccccccc"}, ["cccccccc"], id="by the beginning of its id"),
        pytest.param({"run_id": "0000"}, [], id="not by a part inside its id"),
        pytest.param({"ref": "unknown"}, [], id="nothing is on an unknown ref"),
    ],
)
def test_somebody_chooses_runs_by_ref_tier_and_id(asked: dict[str, str], names: list[str]):
    runs = [
        run("cccccccc", age=1, ref="next"),
        run("bbbbbbbb", age=2, tier="soak", ref="refs/heads/main"),
        run("aaaaaaaa", age=3),
        run("dddddddd", age=4, ref="unknown"),
    ]
    everything = {"ref": None, "tier": None, "run_id": None}

    assert [found.run_id[:8] for found in chosen(runs, **{**everything, **asked})] == names


@pytest.mark.functional
def test_the_decision_needs_no_dagster():
    program = "import sys, floe_tests.pipeline.cancellation; sys.exit('dagster' in sys.modules)"

    subprocess.run([sys.executable, "-c", program], check=True)
