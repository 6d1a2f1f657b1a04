"""The grid: a tier's tests by its runs, as one HTML file that needs no network and no server.

The page holds the data as JSON and draws what is in view. Names and messages come from tests, so
the template escapes them, the script sets them as text, and the page's own policy allows no script
but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config.links import Links
from floe_tests.config.project import REPORT
from floe_tests.core import durable
from floe_tests.report.artifacts import Artifacts
from floe_tests.report.page_data import data_of
from floe_tests.results.history.analysis import Question, TierAccount, read_accounts
from floe_tests.results.history.store import History

NAME = REPORT
OTHER_BRANCHES = 8
"""So many branches beside the one that is shown first, those with the newest runs."""
RUNS_OF_OTHERS = 30

MEASURED_PAGES = ("soak.html", "benchmark.html")
"""Pages of the tier's newest soak and benchmark, linked where they are there."""

_PAGE = Path(__file__).with_name("page")
# One script: each file uses what those before it have.
_SCRIPTS = ("data.js", "rows.js", "draw.js", "panel.js", "page.js")
_FILTERS = (
    ("needs", "needs somebody", "what fails by what it says, new ones first; then what wavers"),
    ("all", "all", "every test that the history knows"),
    ("failing", "failing", "whose newest result that says something is a failure"),
    ("flaky", "flaky", "that pass and fail on one commit, or flip between the two"),
    ("slow", "slow", "that together take half of the tier's time"),
    ("slower", "slower", "that take longer than they did, by a jump or step by step"),
    ("new", "new", "that only the newest runs know, or that fail newly"),
    ("never run", "never run", "that no run shown that counts got beyond skipping"),
    ("gone", "gone", "that the newest runs do not know any more"),
)


def read_page(history: History, question: Question) -> tuple[TierAccount, ...]:
    """Read what a tier's page shows: the branch that is asked for, and others to turn to.

    Args:
        history: The history.
        question: Which tier, on which branch.
    """
    asked = read_accounts(history, question, with_texts=True)
    found = sorted(asked, key=lambda each: each.grid.runs[0].started_at, reverse=True)
    for each in asked:
        others = [one for one in each.branches if one.name != each.branch]
        # The default branch is the first of them, and what each is compared with.
        for other in others[:OTHER_BRANCHES]:
            found += read_accounts(
                history,
                replace(
                    question,
                    tier=each.grid.tier,
                    provider=each.grid.provider,
                    ref=other.name,
                    runs=question.runs if other.is_default else min(RUNS_OF_OTHERS, question.runs),
                ),
                with_texts=True,
            )
    return tuple(found)


def html(
    accounts: Sequence[TierAccount],
    *,
    pages: Sequence[str] = (),
    links: Links | None = None,
    folder: Path | None = None,
) -> str:
    """Return the page of a tier.

    Args:
        accounts: The tier on each provider and branch, with texts, in the order in which they can
            be chosen; see `read_page`.
        pages: Names of files beside it that it links to.
        links: Addresses of commits, pull requests and runs.
        folder: Where the page will stand, with the files of its runs.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    shown = [each for each in accounts if each.grid.runs]
    default = {each.grid.provider: each for each in shown if each.is_default}
    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    script = "\n".join((_PAGE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    digest = hashlib.sha256(script.encode()).digest()
    artifacts = Artifacts(folder)
    data = [
        data_of(
            each,
            None if each.is_default else default.get(each.grid.provider),
            links or Links(),
            artifacts,
        )
        for each in shown
    ]
    return environment.get_template("grid.html.j2").render(
        tier=shown[0].grid.tier,
        generated=datetime.now(UTC),
        accounts=shown,
        pages=pages,
        filters=_FILTERS,
        style=(_PAGE / "grid.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(digest).decode(),
        data=_embedded({"tiers": data}),
    )


def write(path: Path, accounts: Sequence[TierAccount], *, links: Links | None = None) -> None:
    """Write a tier's page; one that is there is replaced at once, or not at all."""
    pages = [name for name in MEASURED_PAGES if path.with_name(name).is_file()]
    durable.write_text(path, html(accounts, pages=pages, links=links, folder=path.parent))


def _embedded(data: object) -> str:
    """Return JSON that cannot end the element around it, nor begin a comment in it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
