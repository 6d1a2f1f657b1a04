"""What Dagster loads at start must not pay for libraries that only a running stage needs."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from floe_tests.results import cases, collate, records
from floe_tests.results.formats import events, junit

heavy = {"sqlalchemy", "alembic", "junitparser", "defusedxml", "xml.etree.ElementTree"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_reading_results_loads_no_database_and_no_xml_library_before_it_is_used() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert finished.stdout.split() == []
