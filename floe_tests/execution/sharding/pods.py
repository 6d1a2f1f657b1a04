"""The pods of a suite in shards that are followed now: met, read in their turn, and let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from floe_tests.execution.pod_watcher import Heard, LogEnded, PodSeen
from floe_tests.execution.sharding.job import place_of
from floe_tests.execution.sharding.pod import ShardPod
from floe_tests.execution.sharding.progress import Progress
from floe_tests.execution.sharding.watcher import Readers
from floe_tests.kube.objects import JsonObject

# What is left of a shard after its pod has gone, until the Job's own account of it is awaited no
# longer: the Job controller counts within seconds, and may be away as long as the API server.
_GONE_SECONDS = 60.0


class ShardPods:
    """Which pods are followed, by their names."""

    def __init__(
        self,
        progress: Progress,
        *,
        make: Callable[[str, int, int], ShardPod],
        stop: Callable[[str], None],
    ) -> None:
        """Begin with none.

        Args:
            progress: How the shards stand.
            make: Makes what follows a pod, by its name, its shard and the number of the attempt.
            stop: Ends a pod that is nobody's attempt.
        """
        self.progress = progress
        self._make = make
        self._stop = stop
        self._pods: dict[str, ShardPod] = {}
        self._retired: set[str] = set()
        self._readers = Readers()

    def __iter__(self) -> Iterator[ShardPod]:
        """Go through them; they may be let go of meanwhile."""
        return iter(list(self._pods.values()))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._pods)

    @property
    def followed(self) -> list[ShardPod]:
        """Those that are not being judged."""
        return [pod for pod in self._pods.values() if not pod.is_judging]

    def hear(self, heard: Heard) -> None:
        """Take what was heard of one."""
        name, said = heard.who, heard.said
        if isinstance(said, LogEnded):
            self._readers.release(name)
        pod = self._pods.get(name)
        if pod is None:
            if isinstance(said, PodSeen) and said.pod is not None and name not in self._retired:
                self._meet(name, said.pod)
        elif not pod.is_judging:
            pod.hear(said)
            if isinstance(said, PodSeen) and said.pod is None and pod.is_gone:
                self.progress.shards[pod.shard].gone = pod.seen.spec.deadline(_GONE_SECONDS)

    def forget(self, pod: ShardPod) -> None:
        """Let go of one."""
        self._readers.release(pod.name)
        pod.watcher.stop()
        self._pods.pop(pod.name, None)
        self._retired.add(pod.name)
        self.progress.shards[pod.shard].pod = None

    def ask_for_reader(self, pod: str) -> None:
        """Have the log of one read in its turn."""
        self._readers.ask(pod)

    def grant_readers(self) -> None:
        """Begin to read the logs of those whose turn it is."""
        ended = [name for name, pod in self._pods.items() if pod.has_ended]
        for name in self._readers.granted(first=ended):
            pod = self._pods.get(name)
            if pod is None:
                self._readers.release(name)
            else:
                pod.read()

    def _meet(self, name: str, pod: JsonObject) -> None:
        """Take a pod that was not there before."""
        place = place_of(pod)
        if place is None or place[0] >= len(self.progress.shards):
            return
        index, number = place
        shard = self.progress.shards[index]
        if shard.is_done or any(attempt.pod == name for attempt in shard.attempts):
            self._retired.add(name)
            return
        before = shard.pod
        ended = before is not None and (before.is_judging or before.has_ended_by_itself)
        if ended or (shard.is_asked_for and number == 1):
            # Its Job makes a pod in place of one that has ended: whether there is another attempt
            # is decided by the verdict on that, or has been.
            self._retired.add(name)
            self._stop(name)
            return
        if before is not None:
            self._replace(before)
        shard.gone = shard.retry = None
        shard.pod = self._pods[name] = self._make(name, index, len(shard.attempts) + 1)
        shard.pod.see(pod)

    def _replace(self, pod: ShardPod) -> None:
        """Let go of a pod that the Job made another one for: it took it back, or lost it."""
        self.forget(pod)
        if pod.has_started:
            self.progress.keep(pod.attempt(), is_written=False)
