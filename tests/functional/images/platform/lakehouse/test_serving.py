"""The serving database, on a real Postgres where there is one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from floe_platform.lakehouse import serving
from floe_platform.lakehouse.errors import ServingError
from floe_platform.lakehouse.pipeline import DailyTotal, GoldTotals

from .conftest import LOG
from .postgres import connection

if TYPE_CHECKING:
    from floe_platform.lakehouse.settings import ServingSettings

JANUARY = DailyTotal(dt.date(2026, 1, 1), 3, 450)
FEBRUARY = DailyTotal(dt.date(2026, 2, 1), 1, 99)
OLDER = GoldTotals(1, 10, (JANUARY,))
NEWER = GoldTotals(2, 20, (JANUARY, FEBRUARY))


def rows(settings: ServingSettings, query: str) -> list[tuple[object, ...]]:
    with connection(settings) as opened, opened.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_a_load_replaces_what_was_served(serving_settings: ServingSettings) -> None:
    serving.load(serving_settings, lambda: NEWER, log=LOG)
    first = serving.read(serving_settings, log=LOG)

    loaded = serving.load(serving_settings, lambda: OLDER, log=LOG)

    assert (first.snapshot_id, first.days) == (2, (JANUARY, FEBRUARY))
    assert loaded == serving.read(serving_settings, log=LOG)
    assert (loaded.snapshot_id, loaded.days) == (1, (JANUARY,))
    assert loaded.loaded_at is not None
    assert first.loaded_at is not None
    assert loaded.loaded_at > first.loaded_at


def test_the_table_is_the_one_that_cube_models(serving_settings: ServingSettings) -> None:
    serving.load(serving_settings, lambda: NEWER, log=LOG)

    columns = rows(
        serving_settings,
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'gold' AND table_name = 'daily_totals' ORDER BY ordinal_position",
    )

    assert columns == [
        ("day", "date"),
        ("orders", "bigint"),
        ("revenue_cents", "bigint"),
        ("loaded_at", "timestamp with time zone"),
    ]


def test_nothing_was_served_yet(serving_settings: ServingSettings) -> None:
    assert serving.read(serving_settings, log=LOG) == serving.Served(None, None, ())


def test_totals_without_a_day_are_served_as_such(serving_settings: ServingSettings) -> None:
    serving.load(serving_settings, lambda: NEWER, log=LOG)
    serving.load(serving_settings, lambda: GoldTotals(3, None, ()), log=LOG)

    served = serving.read(serving_settings, log=LOG)
    assert (served.snapshot_id, served.days) == (3, ())


def test_a_load_that_fails_leaves_what_was_served(serving_settings: ServingSettings) -> None:
    before = serving.load(serving_settings, lambda: OLDER, log=LOG)
    twice = GoldTotals(2, 20, (JANUARY, JANUARY))

    with pytest.raises(ServingError, match="daily_totals_pkey"):
        serving.load(serving_settings, lambda: twice, log=LOG)

    assert serving.read(serving_settings, log=LOG) == before


def test_a_later_load_waits_for_its_turn_and_reads_gold_then(
    serving_settings: ServingSettings,
) -> None:
    """Without turns the slower load would put its older totals over the newer ones."""
    newest = [OLDER]
    reading, go_on = threading.Event(), threading.Event()

    def slowly() -> GoldTotals:
        seen = newest[0]
        reading.set()
        assert go_on.wait(timeout=30)
        return seen

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(serving.load, serving_settings, slowly, log=LOG)
        assert reading.wait(timeout=30)
        newest[0] = NEWER
        fast = pool.submit(serving.load, serving_settings, lambda: newest[0], log=LOG)
        time.sleep(0.3)
        assert not fast.done()
        assert serving.read(serving_settings, log=LOG).loaded_at is None, "readers do not wait"
        go_on.set()
        assert slow.result(timeout=30).snapshot_id == 1
        assert fast.result(timeout=30).snapshot_id == 2

    assert serving.read(serving_settings, log=LOG).snapshot_id == 2


def test_first_loads_at_the_same_moment_all_succeed(serving_settings: ServingSettings) -> None:
    def load(_: int) -> int | None:
        return serving.load(serving_settings, lambda: NEWER, log=LOG).snapshot_id

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, range(4))) == [2, 2, 2, 2]


def test_grants_outlive_a_load(serving_settings: ServingSettings) -> None:
    serving.load(serving_settings, lambda: OLDER, log=LOG)
    with connection(serving_settings) as opened, opened.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS reader")
        cursor.execute("CREATE ROLE reader")
        cursor.execute("GRANT SELECT ON gold.daily_totals TO reader")
        opened.commit()

    serving.load(serving_settings, lambda: NEWER, log=LOG)

    allowed = rows(
        serving_settings, "SELECT has_table_privilege('reader', 'gold.daily_totals', 'SELECT')"
    )
    assert allowed == [(True,)]


def test_a_connection_that_postgres_ended_is_opened_again(
    serving_settings: ServingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    ended = []

    def end_the_connection() -> GoldTotals:
        if not ended:
            ended.append(True)
            with connection(serving_settings) as other, other.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'floe-lakehouse'"
                )
        return NEWER

    loaded = serving.load(serving_settings, end_the_connection, log=LOG)

    assert loaded == serving.read(serving_settings, log=LOG)
    assert "asking again" in caplog.text


def test_a_wrong_password_is_final_at_once_and_not_shown(
    serving_settings: ServingSettings,
) -> None:
    wrong = dataclasses.replace(serving_settings, password="wrong-and-secret-55e1")  # noqa: S106
    started = time.monotonic()

    with pytest.raises(ServingError, match="password authentication failed") as caught:
        serving.load(wrong, lambda: NEWER, log=LOG)

    assert time.monotonic() - started < serving.DEADLINE_SECONDS / 2
    assert "Secret floe-postgres-serving" in str(caught.value)
    assert "55e1" not in str(caught.value)


def test_a_postgres_that_is_away_is_told_at_the_deadline(
    serving_settings: ServingSettings,
) -> None:
    away = dataclasses.replace(serving_settings, port=9)

    with pytest.raises(ServingError, match=r"127\.0\.0\.1:9, as serving: .*refused"):
        serving.load(away, lambda: NEWER, log=LOG, deadline_seconds=1.5)
