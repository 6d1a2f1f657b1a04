"""The errors of a release that does not come up: what was seen, whose fault it is, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, PlatformError, ProgramError
from floe_tests.core.evidence import Evidence
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform import admission
from floe_tests.platform.last_words import LastWords
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
        lines.append(f"More: `{more}`")
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
        """Return the error of a helm that failed.

        Args:
            error: What helm said.
            failed_hooks: The pods of hooks that have failed, by name.
        """
        said = _error_in(error.output_tail)
        reason = " ".join(said.removeprefix("Error:").split()) or "helm failed"
        lines = [f"release {self.scope.release}: {reason}", str(error)]
        evidence = [
            Evidence(f"release/{self.scope.release}", "helm", said or "no word"),
            *error.evidence,
        ]
        meaning = admission.meaning_of(said, namespace=self.target.namespace)
        if meaning is not None:
            lines = [
                f"release {self.scope.release}: refused by {meaning.by}. {meaning.remedy}",
                str(error),
            ]
            field_name = f"refused by {meaning.by}"
            evidence[0] = Evidence(f"release/{self.scope.release}", field_name, said)
        for name, pod in failed_hooks.items():
            value = _ends_of(pod)
            evidence.append(Evidence(f"pod/{name}", "hook failed", value))
            lines += [f"pod/{name} of a hook: {value}", *self.words.lines(pod)]
        party = admission.ERRORS[meaning.party] if meaning is not None else PlatformError
        return party("\n".join(lines), evidence=evidence)

    def _events_now(self) -> Events:
        try:
            self.scope.refresh()
        except FloeTestsError:
            self.target.log(f"release {self.scope.release}: its newest events cannot be read")
        return self.scope.events


def has_failed(pod: JsonObject) -> bool:
    """Return whether a container of a pod has ended with an error, now or before a restart."""
    return any(_exit_code(one) for one in containers_of(pod))


def _exit_code(container: JsonObject) -> int:
    ended = part(container, "state", "terminated") or part(container, "lastState", "terminated")
    return int(ended.get("exitCode") or 0)


def _error_in(output: str) -> str:
    """Return what helm says of its failure: warnings go before it."""
    lines = output.splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith("Error")), 0)
    return "\n".join(lines[begin:])


def _ends_of(pod: JsonObject) -> str:
    return ", ".join(
        f"container {one['name']} ended with exit code {_exit_code(one)}"
        for one in containers_of(pod)
        if _exit_code(one)
    )
