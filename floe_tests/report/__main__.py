"""Write the pages that are made from code: `python -m floe_tests.report`, or `make docs`."""

from __future__ import annotations

from pathlib import Path

from floe_tests.report import contract, environment, schema, tiers, verdicts

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Write every page."""
    _DOCS.mkdir(exist_ok=True)
    (_DOCS / "verdicts.md").write_text(verdicts.markdown())
    (_DOCS / "tiers.md").write_text(tiers.markdown())
    (_DOCS / "test-job.md").write_text(contract.markdown())
    (_DOCS / "environment.md").write_text(environment.markdown())
    (_DOCS / "history-schema.md").write_text(schema.markdown())


if __name__ == "__main__":
    main()
