"""Makes the history that the pictures show: real runs of a small tier, `runs.py FOLDER`.

Twenty runs with mixed outcomes, each by Dagster on this machine, on ten commits. One test is made
flaky on purpose and one is broken in the middle; at the end the history must call them so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RUNS = 20

PYPROJECT = '[tool.dg]\ndirectory_type = "project"\n\n[tool.dg.project]\nroot_module = "shop"\n'
DEFINITIONS = """\
import floe_tests

defs = floe_tests.project(__file__)
"""
TIER = """\
type: floe_tests.TestTier
attributes:
  name: checkout
  description: A customer can fill a basket and pay for it.
  environments: [local]
  quarantine: quarantine.yaml
  suites:
    - name: checkout
      command: [pytest, suite, -q, -p, no:cacheprovider,
        --junitxml=/results/junit.xml, --report-log=/results/events.jsonl]
      pass_environment: [SHOP_RUN]
"""
QUARANTINE = """\
- test: suite.test_payment.TestCard::test_is_declined_politely
  owner: payments
  reason: the provider's sandbox answers with another text
  expires: 2999-12-31
"""
# NUMBER is the run, 0 the oldest: what happens in which run is fixed, so the pictures are too.
SHOP = """\
import os

import pytest

NUMBER = int(os.environ["SHOP_RUN"])


@pytest.fixture(autouse=True)
def the_shop():
    if NUMBER == 6:
        raise ConnectionError("the shop does not answer on port 8080")
"""
BASKET = """
import signal
import time
from pathlib import Path

STARTED = Path("started")


@pytest.mark.parametrize("items", [1, 2, 10, 100])
def test_holds(items):
    time.sleep(0.01 * items**0.5)
    assert items


def test_adds_up():
    assert sum([2, 3]) == 5


def test_is_empty_at_first():
    assert not []


def test_gives_the_last_item_to_one_of_two():
    \"\"\"Flaky on purpose: it fails in every other run of some commits.\"\"\"
    stock = 0 if NUMBER in {2, 9, 12, 17} else 1
    assert stock == 1, "both customers got the last item"


def test_survives_a_restart():
    if NUMBER == 4 and not STARTED.exists():
        STARTED.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""
PAYMENT = """
import time


class TestCard:
    def test_is_charged_once(self):
        time.sleep(0.4 if NUMBER < 15 else 0.9)

    def test_is_declined_politely(self):
        assert NUMBER < 10, "expected 'declined', the sandbox said 'refused'"

    @pytest.mark.skip(reason="needs the provider's production account")
    def test_is_refunded(self):
        pass

    @pytest.mark.parametrize("currency", ["EUR", "USD", "CHF"])
    def test_takes(self, currency):
        assert currency


class TestVoucher:
    def test_is_taken(self):
        \"\"\"Broken since the commit of run 14.\"\"\"
        price = 100 if NUMBER < 14 else None
        assert price - 10 == 90

    def test_expires(self):
        if NUMBER == 11:
            raise RuntimeError("the clock of the shop is a day behind")
"""
NEW = """

class TestInstalments:
    @pytest.mark.parametrize("months", [3, 12])
    def test_are_equal(self, months):
        assert months
"""


def main() -> None:
    """Make the project, run it, and check what its history says."""
    folder = Path(sys.argv[1]).resolve()
    write(folder)
    for number in range(RUNS):
        if number == RUNS - 3:
            payment = folder / "suite" / "test_payment.py"
            payment.write_text(payment.read_text() + NEW)
        code = run(folder, number)
        print(f"run {number}: exit code {code}", flush=True)  # noqa: T201 - progress
    bring(folder)
    check(folder)


def write(folder: Path) -> None:
    """Write the project."""
    files = {
        "pyproject.toml": PYPROJECT,
        "shop/__init__.py": "",
        "shop/definitions.py": DEFINITIONS,
        "shop/defs/checkout/defs.yaml": TIER,
        "quarantine.yaml": QUARANTINE,
        "suite/test_basket.py": SHOP + BASKET,
        "suite/test_payment.py": SHOP + PAYMENT,
        "home/dagster.yaml": "telemetry:\n  enabled: false\nnux:\n  enabled: false\n",
        "workspace.yaml": "load_from:\n  - python_module:\n      module_name: shop.definitions\n"
        "      location_name: shop\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "suite" / "conftest.py")


def variables(folder: Path, number: int = 0) -> dict[str, str]:
    """Return what a run is told of itself; two runs share a commit."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOE_")}
    return {
        **kept,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "DAGSTER_HOME": str(folder / "home"),
        "FLOE_TESTS_OUTPUT": str(folder / "output"),
        "FLOE_TESTS_OUTPUT_URL": "https://results.example.com/",
        "FLOE_TESTS_REF": "main",
        "FLOE_TESTS_COMMIT": f"{0xC0FFEE00 + number // 2:x}",
        "FLOE_TESTS_TRIGGER": "push",
        "SHOP_RUN": str(number),
    }


def run(folder: Path, number: int) -> int:
    """Run the tier once, as CI does, and give the exit code."""
    command = [str(BIN / "dagster"), "job", "execute", "-m", "shop.definitions", "-j", "checkout"]
    finished = subprocess.run(  # noqa: S603 - a list of words
        command,
        cwd=folder,
        env=variables(folder, number),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    return finished.returncode


def bring(folder: Path) -> None:
    """Bring a second tier, so that the front page has more than one: some green runs' own files."""
    junit = [
        str(path.with_name("junit.xml"))
        for path in (folder / "output" / "checkout" / "runs").glob("*/verdict.json")
        if json.loads(path.read_text())["cause"] == "PASS"
    ]
    added = ["import", *junit, "--tier", "returns", "--environment", "local", "--ref", "main"]
    for words in (added, ["report"]):
        command = [str(BIN / "floe-tests"), *words]
        subprocess.run(command, cwd=folder, env=variables(folder), check=True, timeout=120)  # noqa: S603


def check(folder: Path) -> None:
    """Ask the history, as anybody would, what it calls the two tests."""
    said = subprocess.run(  # noqa: S603 - a list of words
        [str(BIN / "floe-tests"), "history", "--tier", "checkout", "--json"],
        env=variables(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (tier,) = json.loads(said.stdout)
    standings = {each["test"].rpartition("::")[2]: each["standing"] for each in tier["shown"]}
    print(json.dumps(standings, indent=1))  # noqa: T201 - the result
    wanted = {
        "test_gives_the_last_item_to_one_of_two": "flaky",
        "test_is_taken": "broken",
        "test_is_declined_politely": "broken",
    }
    wrong = {name: standings.get(name) for name in wanted if standings.get(name) != wanted[name]}
    if wrong:
        sys.exit(f"the history calls them otherwise: {wrong}")


if __name__ == "__main__":
    main()
