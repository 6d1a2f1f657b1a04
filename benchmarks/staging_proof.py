"""What staging's verdicts are worth: `python benchmarks/staging_proof.py PROOF`.

Each is one command: it launches runs of a staging tier at an orchestrator (`make staging` has one),
does to the platform what they are to find or not to find, waits for their verdicts, and prints a
table. Exit code 1 when a verdict is not the expected one.

    healthy   a soak of ten minutes to which nothing is done                  PASS
    leak      the same, while a process in a real container keeps memory      SOAK_DRIFT
    equal     the benchmark 21 times: 20 comparisons of a thing with itself   PASS
    slowed    the benchmark with one measurement slower by 20 %               REGRESSION
    table     prints what there is

What has ended stands in a file (--state), and so does a run that is under way: started again after
whatever ended it, a command goes on where it was. The leak is a process that `kubectl exec` starts
beside the container's own; nothing of it is in any image.

    kubectl --namespace floe-tests port-forward service/dagster-webserver 3000:80 &
    python benchmarks/staging_proof.py healthy --url http://127.0.0.1:3000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
UNREACHABLE_SECONDS = 900.0
PAUSE_SECONDS = 5.0
# What a benchmark of no change finds is a false alarm; the first one has nothing to compare with.
COMPARISONS = 20
_KEEPER = """
import os, sys, time
rate, seconds, began = float(sys.argv[1]), float(sys.argv[2]), time.monotonic()
open("/tmp/floe-leak.pid", "w").write(str(os.getpid()))
kept = []
while (passed := time.monotonic() - began) < seconds:
    while len(kept) < passed / 60 * rate:
        kept.append(bytearray(b"x" * 2**20))
    time.sleep(0.5)
"""
_ENDER = """
import os, signal
try:
    os.kill(int(open("/tmp/floe-leak.pid").read()), signal.SIGKILL)
except (OSError, ValueError):
    pass
"""


@dataclass(frozen=True)
class Proof:
    """What is proved.

    Attributes:
        tier: The tier whose runs are judged.
        expected: The cause that each of them must have.
        runs: How many of them.
        size: How large the fault is, for people.
        variables: Variables of the runs.
        leaks: Whether memory is kept meanwhile.
    """

    tier: str
    expected: str
    runs: int
    size: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    leaks: bool = False


@dataclass
class Ended:
    """A run, as the file has it; without a cause it was under way."""

    proof: str
    run_id: str
    size: str
    expected: str
    cause: str = ""
    verdict: str = ""
    seconds: float = 0.0

    @property
    def is_expected(self) -> bool:
        """Whether the verdict is the right one."""
        return self.cause == self.expected


class Orchestrator:
    """The Dagster that runs the tiers.

    Args:
        url: Its webserver.
    """

    def __init__(self, url: str) -> None:
        """Remember the address; nothing is asked yet."""
        self._url = url.rstrip("/")

    def launch(self, tier: str, variables: Mapping[str, str]) -> str:
        """Launch a run of a tier, and give its id."""
        job = tier.replace("-", "_")
        config = {"ops": {f"{job}__cluster": {"config": {"variables": dict(variables)}}}}
        params = {
            "selector": {**self._repository_of(job), "jobName": job},
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": "floe-tests/trigger", "value": "proof"}]},
        }
        answer = self._ask(
            """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
              __typename
              ... on LaunchRunSuccess { run { runId } }
              ... on RunConfigValidationInvalid { errors { message } }
              ... on Error { message }
            } }""",
            {"params": params},
        )["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            sys.exit(f"{self._url} does not launch {job}: {answer}")
        return answer["run"]["runId"]

    def run(self, run_id: str) -> dict[str, Any] | None:
        """Read a run's state; None when it is not known there."""
        answer = self._ask(
            """query Run($id: ID!) { runOrError(runId: $id) {
              __typename
              ... on Run {
                status startTime endTime tags { key value }
                assetMaterializations {
                  assetKey { path } metadataEntries { label ... on TextMetadataEntry { text } }
                }
              }
            } }""",
            {"id": run_id},
        )["runOrError"]
        return answer if answer["__typename"] == "Run" else None

    def _repository_of(self, job: str) -> dict[str, str]:
        data = self._ask(
            """{ repositoriesOrError { __typename ... on RepositoryConnection { nodes {
              name location { name } jobs { name }
            } } } }""",
            {},
        )["repositoriesOrError"]
        for node in data.get("nodes", []):
            if any(each["name"] == job for each in node["jobs"]):
                return {
                    "repositoryName": node["name"],
                    "repositoryLocationName": node["location"]["name"],
                }
        sys.exit(f"{self._url} has no job {job}: {data}")

    def _ask(self, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """Ask, and ask again while nobody answers: it restarts, or the port is forwarded anew."""
        body = json.dumps({"query": document, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is the caller's own
            f"{self._url}/graphql", body, {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + UNREACHABLE_SECONDS
        while True:
            try:
                with opener.open(request, timeout=60) as answer:
                    found = json.loads(answer.read())
            except (OSError, ValueError) as error:
                # A launch whose answer was lost may have been made, so it is not made again.
                if "mutation" in document and not _was_refused(error):
                    raise
                if time.monotonic() > deadline:
                    sys.exit(f"{self._url} did not answer for {UNREACHABLE_SECONDS:.0f} s: {error}")
                time.sleep(PAUSE_SECONDS)
            else:
                if found.get("errors"):
                    sys.exit(f"{self._url}: {found['errors']}")
                return found["data"]


def _was_refused(error: Exception) -> bool:
    reason = getattr(error, "reason", error)
    return isinstance(reason, ConnectionRefusedError)


class Book:
    """What has ended and what is under way, in a file of one JSON object a line.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there."""
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._runs = {each.run_id: each for each in (Ended(**json.loads(line)) for line in lines)}

    def write(self, run: Ended) -> None:
        """Write a run down, over what was known of it."""
        self._runs[run.run_id] = run
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.write_text("".join(json.dumps(asdict(r)) + "\n" for r in self._runs.values()))
        temporary.replace(self._path)

    def forget(self, run: Ended) -> None:
        """Strike a run that nobody knows any more."""
        del self._runs[run.run_id]

    def of(self, proof: str | None = None) -> list[Ended]:
        """Return the runs of a proof, in order; of all of them without one."""
        return [run for run in self._runs.values() if proof in {None, run.proof}]


def main() -> None:
    """Prove one thing, or print what was proved."""
    arguments = _arguments()
    book = Book(arguments.state)
    further = dict(each.split("=", 1) for each in arguments.variable)
    proofs = {
        "healthy": Proof("staging-soak", "PASS", 1, "none", _soak(arguments) | further),
        "leak": Proof(
            "staging-soak",
            "SOAK_DRIFT",
            1,
            f"{arguments.leak:g} MiB/min in {arguments.component}",
            _soak(arguments) | further,
            leaks=True,
        ),
        "equal": Proof("staging-benchmark", "PASS", 1 + arguments.comparisons, "none", further),
        "slowed": Proof(
            "staging-benchmark",
            "REGRESSION",
            1,
            f"{arguments.slow}",
            {"FLOE_BENCHMARK_SLOWDOWN": arguments.slow} | further,
        ),
    }
    if arguments.proof != "table":
        _prove(arguments.proof, proofs[arguments.proof], book, arguments)
    shown = book.of(None if arguments.proof == "table" else arguments.proof)
    _print(shown)
    sys.exit(0 if shown and all(run.is_expected for run in shown) else 1)


def _prove(name: str, proof: Proof, book: Book, arguments: argparse.Namespace) -> None:
    orchestrator = Orchestrator(arguments.url)
    under_way = [run for run in book.of(name) if not run.cause]
    while len([run for run in book.of(name) if run.cause]) < proof.runs:
        run = under_way.pop() if under_way else None
        if run is None:
            run_id = orchestrator.launch(proof.tier, proof.variables)
            run = Ended(name, run_id, proof.size, proof.expected)
            book.write(run)
        print(f"{name}: run {run.run_id} of {proof.tier}", flush=True)  # noqa: T201 - its progress
        with _leak(arguments) if proof.leaks else _nothing():
            found = _wait(orchestrator, run.run_id)
        if found is None:
            book.forget(run)
            continue
        tags = {tag["key"]: tag["value"] for tag in found["tags"]}
        run.cause = tags.get("floe-tests/cause", found["status"])
        run.verdict = _verdict(found)
        run.seconds = (found["endTime"] or 0) - (found["startTime"] or found["endTime"] or 0)
        book.write(run)
        print(f"{name}: {run.cause} after {run.seconds:.0f} s", flush=True)  # noqa: T201


def _wait(orchestrator: Orchestrator, run_id: str) -> dict[str, Any] | None:
    while True:
        found = orchestrator.run(run_id)
        if found is None or found["status"] in FINISHED:
            return found
        time.sleep(PAUSE_SECONDS)


def _verdict(run: Mapping[str, Any]) -> str:
    """Return the sentence that the results' asset has of it; empty when the run has no results."""
    entries = (
        entry
        for made in run["assetMaterializations"]
        if made["assetKey"]["path"][-1] == "results"
        for entry in made["metadataEntries"]
    )
    return next((entry["text"] for entry in entries if entry["label"] == "verdict"), "")


@contextmanager
def _nothing() -> Generator[None]:
    yield


@contextmanager
def _leak(arguments: argparse.Namespace) -> Generator[None]:
    """Keep memory in a container of the component while the body goes on, and then no more."""
    kubectl = ["kubectl", "--namespace", arguments.namespace]
    selector = f"app.kubernetes.io/component={arguments.component}"
    listed = subprocess.run(  # noqa: S603 - the arguments are the caller's own
        [*kubectl, "get", "pods", "--selector", selector, "--output", "name"],
        check=True,
        capture_output=True,
        text=True,
    )
    pods = listed.stdout.split()
    if not pods:
        sys.exit(f"no pod of {arguments.component} in {arguments.namespace}")
    inside = [*kubectl, "exec", pods[0], "--", "python3", "-c"]
    seconds = (arguments.minutes + 10) * 60
    subprocess.run([*inside, _ENDER], check=True)  # noqa: S603 - of a command that was ended
    process = subprocess.Popen(  # noqa: S603
        [*inside, _KEEPER, str(arguments.leak), str(seconds)],
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        subprocess.run([*inside, _ENDER], check=False)  # noqa: S603
        process.wait(timeout=60)


def _soak(arguments: argparse.Namespace) -> dict[str, str]:
    return {
        "FLOE_SOAK_MINUTES": f"{arguments.minutes:g}",
        "FLOE_SOAK_KUBELET_TLS": arguments.kubelet_tls,
    }


def _print(runs: list[Ended]) -> None:
    rows = [("who", "expected", "seen", "size", "seconds", "run", "verdict")]
    for number, run in enumerate(runs, 1):
        rows.append(
            (
                f"{run.proof} {number}",
                run.expected,
                run.cause or "under way",
                run.size,
                f"{run.seconds:.0f}",
                run.run_id[:8],
                run.verdict[:160],
            )
        )
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    alarms = sum(run.proof == "equal" and run.cause == "REGRESSION" for run in runs)
    equal = sum(run.proof == "equal" and bool(run.cause) for run in runs)
    if equal:
        lines.append(f"\nfalse alarms: {alarms} of {max(equal - 1, 0)} comparisons")
    print("\n".join(lines))  # noqa: T201 - what this program is for


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("proof", choices=["healthy", "leak", "equal", "slowed", "table"])
    add("--url", default="http://127.0.0.1:3000", help="the orchestrator's webserver")
    add("--state", type=Path, default=Path("output/staging-proof.jsonl"), help="what has ended")
    add("--namespace", default="floe-staging", help="of the platform, for the leak")
    add("--component", default="webserver", help="whose container leaks; it has Python")
    add("--leak", type=float, default=25.0, help="MiB a minute")
    add("--minutes", type=float, default=10.0, help="of a soak")
    add("--kubelet-tls", default="verify", help="unverified, where kubelets signed their own")
    add("--slow", default="pipeline=1.2", help="measurement and factor")
    add("--variable", action="append", default=[], metavar="NAME=VALUE", help="of the runs")
    add("--comparisons", type=int, default=COMPARISONS, help="of a benchmark with itself")
    return parser.parse_args()


if __name__ == "__main__":
    main()
