"""The errors of a release that does not come up: what was seen, whose fault it is, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import (
    ConfigurationError,
    FloeTestsError,
    PlatformError,
    ProgramError,
)
from floe_tests.core.evidence import Evidence
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform import admission
from floe_tests.platform.last_words import LastWords, exit_code
from floe_tests.platform.leftovers import leftover_in, remedy_for
from floe_tests.platform.scope import Scope
from floe_tests.platform.target import Target
from floe_tests.platform.troubles import Events, Trouble, claims_of, component_of, containers_of

_SHOWN_EVENTS = 8


@dataclass(frozen=True)
class Failures:
    """Words the errors of one release.

    Attributes:
        scope: What belongs to it.
        target: Where it is.
        words: What its pods have said last.
    """

    scope: Scope
    target: Target
    words: LastWords

    def of(self, trouble: Trouble, *, why: str) -> FloeTestsError:
        """Return the error of one trouble, with the events and the last words about it."""
        evidence = [Evidence(trouble.subject, "status", why)]
        kind, _, name = trouble.subject.partition("/")
        subjects = {name, *(claims_of(trouble.pod) if trouble.pod else ())}
        if trouble.pod is not None:
            subjects.add(str(trouble.pod["metadata"]["name"]))
        evidence += [
            Evidence(
                f"{str(part(item, 'involvedObject').get('kind')).lower()}/"
                f"{part(item, 'involvedObject').get('name')}",
                f"event {item.get('reason')}",
                str(item.get("message")),
                item.get("lastTimestamp"),
            )
            for item in self._events_now().found
            if part(item, "involvedObject").get("name") in subjects
        ][-_SHOWN_EVENTS:]
        lines = [f"release {self.scope.release}: {trouble.component} did not come up: {why}"]
        if trouble.remedy:
            lines.append(trouble.remedy)
        lines += map(str, evidence[1:])
        if trouble.pod is not None:
            lines += self.words.lines(trouble.pod)
        namespace = trouble.namespace or self.target.namespace
        more = self.scope.kube.access.kubectl("describe", kind, name, "--namespace", namespace)
        # A run takes its namespace away right after this, unless it was told to keep it.
        lines.append(f"More, while the namespace is there (`--keep on_failure`): `{more}`")
        return admission.ERRORS[trouble.party]("\n".join(lines), evidence=evidence)

    def late(
        self,
        deadline: Deadline,
        *,
        lacked: Sequence[Trouble],
        troubles: Sequence[Trouble],
        unready: Mapping[str, JsonObject],
    ) -> FloeTestsError:
        """Return the error of a release that was not ready in time.

        Args:
            deadline: When it should have been.
            lacked: What its objects lack.
            troubles: What keeps its pods from being ready.
            unready: Its pods that are not.
        """
        found = [*troubles, *lacked]
        why = "; ".join(item.why for item in lacked) or "its pods are not ready"
        why = f"not ready within {deadline.seconds:g} s: {why}"
        named = next((item for item in found if item.pod is not None), None)
        named = named or next((item for item in found if item.remedy), None)
        if named is not None:
            told = why if named.why in why else f"{named.why}; {why}"
            return self.of(named, why=told)
        if unready:
            name, pod = next(iter(unready.items()))
            return self.of(Trouble(f"pod/{name}", component_of(pod), why, pod=pod), why=why)
        message = f"release {self.scope.release}: {why}."
        return PlatformError(message, evidence=[item.evidence for item in lacked])

    def refused(
        self, error: ProgramError, failed_hooks: Mapping[str, JsonObject]
    ) -> FloeTestsError:
        """Return the error of a helm that failed; the first line says why.

        Args:
            error: What helm said.
            failed_hooks: The pods of hooks that have failed, by name.
        """
        said = _error_in(error.output_tail)
        subject = f"release/{self.scope.release}"
        leftover = leftover_in(said, release=self.scope.release)
        meaning = admission.meaning_of(said, namespace=self.target.namespace)
        of_hooks, told = self._of_hooks(failed_hooks)
        helms = Evidence(subject, "helm", said or "no word")
        kind: type[FloeTestsError] = PlatformError
        if leftover is not None:
            kind = ConfigurationError
            why = f"{leftover.subject} is there already. {remedy_for(leftover, self.scope.kube)}"
        elif meaning is not None:
            kind = admission.ERRORS[meaning.party]
            why = f"refused by {meaning.by}. {meaning.remedy}"
            helms = Evidence(subject, f"refused by {meaning.by}", said)
        else:
            why = " ".join(said.removeprefix("Error:").split()) or "helm failed"
            if of_hooks:
                # helm says that a hook failed, and the hook itself why.
                why = f"{of_hooks[-1].subject} of a hook: {of_hooks[-1].value} ({why})"
        rest = [line for line in told if line not in why]
        lines = [f"release {self.scope.release}: {why}", *rest, str(error)]
        return kind("\n".join(lines), evidence=[helms, *of_hooks, *error.evidence])

    def _of_hooks(self, failed: Mapping[str, JsonObject]) -> tuple[list[Evidence], list[str]]:
        """Return how the pods of hooks have ended, with their last words."""
        evidence: list[Evidence] = []
        lines: list[str] = []
        for name, pod in failed.items():
            words = list(self.words.lines(pod))
            value = self.words.ends_of(pod)
            evidence.append(Evidence(f"pod/{name}", "hook failed", value))
            lines += [f"pod/{name} of a hook: {value}", *words]
        return evidence, lines

    def _events_now(self) -> Events:
        try:
            self.scope.refresh()
        except FloeTestsError:
            self.target.log(f"release {self.scope.release}: its newest events cannot be read")
        return self.scope.events


def has_failed(pod: JsonObject) -> bool:
    """Return whether a container of a pod has ended with an error, now or before a restart."""
    return any(exit_code(one) for one in containers_of(pod))


def _error_in(output: str) -> str:
    """Return what helm says of its failure: warnings go before it."""
    lines = output.splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith("Error")), 0)
    return "\n".join(lines[begin:])
