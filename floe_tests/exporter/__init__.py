"""Send the files of a results directory out of a pod as numbered frames on standard output.

Results must outlive the pod that made them, without a volume, an object store or an open port.
This program shares the results directory with the test container, follows the files there and
writes what is new to its own log, where the Kubernetes API serves it. A test container that is
killed takes nothing along that was written before.

It is standard library alone (Python 3.9 or newer) and imports no other room: its image needs
nothing else, and a pod with 64Mi and a tenth of a CPU runs it. The protocol is described in
docs/result-stream.md.

    python -Iu -m floe_tests.exporter     follow the directory until SIGTERM, then send the manifest
    … resend 17 40    print frames 17 to 40 again (needs the running exporter's state)
    … done            tell a lingering exporter that everything has arrived
    … finish          have it send the manifest while other containers run on

Every setting is an option (`--file-bytes 1000`) or a variable (`FLOE_STREAM_FILE_BYTES=1000`).
"""
