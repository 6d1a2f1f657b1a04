"""One run of a suite on this machine from its first stage to the history, and what it cost.

    one_run.py FOLDER COMMAND...

A program of its own: the memory of a process that has run other tests says nothing about this one.
"""

from __future__ import annotations

import json
import resource
import sys
import uuid
from pathlib import Path

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.run import TierRun


def memory_mib(field: str) -> float:
    """Read a figure of this process' memory: VmRSS is now, VmHWM the most that it ever was."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def main(folder: Path, command: list[str]) -> None:
    settings = TierSettings.model_validate(
        {
            "name": "large",
            "description": "A tier of one suite.",
            "environments": ["local"],
            "suites": [{"name": "suite", "command": command}],
            "budget": {"memory": "8Gi", "minutes": 10},
            "deadlines": {"tests_seconds": 100, "pod_seconds": 300, "job_seconds": 400},
        }
    )
    workspace = Workspace(
        root=folder,
        output=folder / "output",
        home=folder / "home",
        history_url=f"sqlite:///{folder / 'history.db'}",
        ref="refs/heads/large",
        commit="0" * 40,
    )
    log: list[str] = []
    run = TierRun(settings=settings, workspace=workspace, run_id=str(uuid.uuid4()), log=log.append)
    with run.stage("cluster"):
        run.acquire()
    before_mib = memory_mib("VmRSS")
    with run.stage("test_job"):
        run.run_suites()
    judged_mib = memory_mib("VmHWM")
    published = publish(run.state())
    peak_mib = memory_mib("VmHWM")
    run.give_back()
    suite = published.suites[0]
    found = {
        "run_id": run.run_id,
        "cause": published.verdict.cause,
        "evidence": [str(item) for item in published.verdict.evidence],
        "notices": list(suite.results.notices),
        "tests": suite.results.tally.tests,
        "passed": suite.results.tally.passed,
        "failed": suite.results.tally.failed,
        "junit": str(published.junit),
        "results": str(published.directory / "suite-1" / "results"),
        "log_lines": len(log),
        "before_mib": before_mib,
        "growth_until_judged_mib": judged_mib - before_mib,
        "growth_mib": peak_mib - before_mib,
        "cpu_seconds": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
        "seconds": published.seconds,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
