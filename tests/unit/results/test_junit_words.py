"""Numbers, times and words as the tools of all countries and clocks write them."""

from __future__ import annotations

import pytest

from floe_tests.results.formats.junit import words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.16", 0.16),
        ("0,16", 0.16),
        ("0,160", 0.16),
        ("1.234,56", 1234.56),
        ("1,234.56", 1234.56),
        ("1 234,56", 1234.56),
        ("1\u00a0234,56", 1234.56),
        ("1\u202f234,56", 1234.56),
        ("1'234.5", 1234.5),
        ("1,234,567", 1234567.0),
        ("1.234.567", 1234567.0),
        ("1,234", 1.234),
        ("1e-05", 1e-05),
        ("0.5s", 0.5),
        ("12ms", 0.012),
        ("00:01:02.5", 62.5),
        ("", 0.0),
        ("-1", 0.0),
        ("inf", 0.0),
        ("nan", 0.0),
        ("soon", 0.0),
    ],
)
def test_durations_of_every_locale(text: str, seconds: float) -> None:
    assert words.seconds(text) == pytest.approx(seconds)


def test_a_lone_comma_groups_where_the_file_has_decimal_points() -> None:
    assert words.has_decimal_point("0.012")
    assert not words.has_decimal_point("1.234,56")
    assert words.seconds("1,234", points=True) == 1234.0


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-01T12:00:00", "2026-11-01T12:00:00+00:00"),
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00+00:00"),
        ("2026-11-01T12:00:00.123456789+02:00", "2026-11-01T10:00:00.123456+00:00"),
        ("2026-11-01T12:00:00+02:00[Europe/Berlin]", "2026-11-01T10:00:00+00:00"),
        ("2026-11-01T12:00:00 UTC", "2026-11-01T12:00:00+00:00"),
        ("2026-11-01 12:00:00 +0000", "2026-11-01T12:00:00+00:00"),
        ("Thu, 06 Aug 2020 07:53:15 GMT", "2020-08-06T07:53:15+00:00"),
        ("Thu Aug  6 07:53:15 2020", "2020-08-06T07:53:15+00:00"),
        ("Thu Aug 06 2020 07:53:15 GMT+0200 (CEST)", "2020-08-06T05:53:15+00:00"),
        ("1604217600", "2020-11-01T08:00:00+00:00"),
        ("1604217600.5", "2020-11-01T08:00:00.500000+00:00"),
        ("1604217600123", "2020-11-01T08:00:00.123000+00:00"),
        ("0001-01-01T00:00:00+02:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00", None),
        ("9999-12-31T23:59:59-10:00", None),
        ("99999999999", None),
        ("2026-13-45T12:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_in_every_form_and_none_where_there_is_none(text: str, time: str | None) -> None:
    found = words.time_of(text)
    assert (found.isoformat() if found else None) == time


@pytest.mark.parametrize(
    ("text", "count"),
    [("3", 3), ("+3", 3), (" 3 ", 3), ("3.0", 3), ("-3", None), ("three", None), ("", None)],
)
def test_counts_as_they_are_written(text: str, count: int | None) -> None:
    assert words.count(text) == count
