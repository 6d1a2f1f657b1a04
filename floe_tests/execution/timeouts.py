"""How long an attempt waits for what, whether it is one pod or many. All in seconds, but for one.

What an attempt may take in all stands in its tier's settings; these are for what lies between.
"""

from __future__ import annotations

WAKE_SECONDS = 0.5
EVENT_SECONDS = 1.0
# After a container's end: the exporter's own 25 s, its 20 s for frames that are asked for again,
# and some for the API.
EXPORT_SECONDS = 45.0
# The suite's own timeout fires first and says which line hung; this much later the pod is stopped.
TESTS_SLACK_SECONDS = 5.0
# How long a pod may be refused, or a container's configuration be wrong, before it counts: a quota
# or ConfigMap created a moment later is not a mistake.
REFUSED_SECONDS = 2.5
# An admission webhook or an API server that does not answer may be on its way back.
UNANSWERED_SECONDS = 60.0
# A cancelled run must be gone in 30 s.
STOP_GRACE_SECONDS = 15
# A kubelet whose API was away for minutes looks again after up to one: client-go's back-off is
# 30 s, doubled by its jitter. Then the pod has its grace.
REMOVE_SECONDS = 150.0
# The exporter sends something every 10 s. After twice that its node is looked at, now and then.
SILENT_SECONDS = 20.0
NODE_LOOK_SECONDS = 3.0
LAST_SILENCE_SECONDS = 2.0
# Below this the exporter does not stay for questions: its log cannot have rotated.
LINGERING_BYTES = 8 * 1024 * 1024
