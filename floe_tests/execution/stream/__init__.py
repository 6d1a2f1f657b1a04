"""Receive a pod's results from the log of its exporter, and prove that they are complete.

The log is the one way out of a pod that needs no volume, no object store and no open port, but it
repeats lines after a reconnect, loses them in a rotation, and is written by a pod that runs other
people's code. So a line is believed only when its checksum fits, a frame is applied once and in
its turn, every size and name is bounded again on this side, and what came is compared with the
manifest at the end. The protocol is described in docs/result-stream.md.
"""

from floe_tests.execution.stream.completeness import Completeness, CutResult, VerifiedFile
from floe_tests.execution.stream.files import Growth
from floe_tests.execution.stream.frames import StreamLimits
from floe_tests.execution.stream.manifest import Manifest, ManifestFile, Refusal
from floe_tests.execution.stream.result_stream import FrameKind, FrameReport, ResultStream

__all__ = [
    "Completeness",
    "CutResult",
    "FrameKind",
    "FrameReport",
    "Growth",
    "Manifest",
    "ManifestFile",
    "Refusal",
    "ResultStream",
    "StreamLimits",
    "VerifiedFile",
]
