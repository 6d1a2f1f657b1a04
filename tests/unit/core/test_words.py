"""Lists in sentences."""

from __future__ import annotations

from floe_tests.core.words import listed


def test_a_list_names_its_first_words_and_counts_the_others() -> None:
    assert listed([], shown=2) == ""
    assert listed(["a", "b"], shown=2) == "a, b"
    assert listed(["a", "b", "c", "d"], shown=2, separator="; ") == "a; b and 2 more"
