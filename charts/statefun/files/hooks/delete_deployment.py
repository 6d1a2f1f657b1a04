"""Deletes a FlinkDeployment before its operator goes, and waits until it is gone.

The operator ends the job, and then lets the object go (a finalizer). Where no operator is left to
do so, it would stay for ever, and with it its namespace: then the finalizer is struck, and the
owner references take the pods.
"""

import argparse
import sys
import time
import urllib.error
from http.client import HTTPException

from kube_api import DEPLOYMENTS, KubeApi, namespace_of_this_pod


def wait_until_gone(api: KubeApi, collection: str, name: str, *, seconds: float) -> bool:
    """Wait for the end of an object; whether it came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if api.get(f"{collection}/{name}") is None:
                return True
            for kind, _ in api.watch(collection, name, seconds=deadline - time.monotonic()):
                if kind == "DELETED":
                    return True
        except (OSError, HTTPException, ValueError) as error:
            print(f"the Kubernetes API does not answer: {error}", flush=True)
            time.sleep(1)
    return False


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("deployment")
    parser.add_argument("--deadline-seconds", type=float, required=True)
    arguments = parser.parse_args()
    name, seconds = arguments.deployment, arguments.deadline_seconds
    api, collection = KubeApi.of_this_pod(), DEPLOYMENTS.format(namespace_of_this_pod())
    try:
        if not api.delete(f"{collection}/{name}"):
            print(f"FlinkDeployment {name} is not there")
            return
        if wait_until_gone(api, collection, name, seconds=seconds):
            print(f"FlinkDeployment {name} is gone")
            return
        print(f"FlinkDeployment {name} is there after {seconds:g} s: striking its finalizer")
        api.merge(f"{collection}/{name}", {"metadata": {"finalizers": None}})
    except urllib.error.HTTPError as error:
        sys.exit(f"delete_deployment.py: {error}: {error.read().decode(errors='replace')}")
    if not wait_until_gone(api, collection, name, seconds=seconds):
        sys.exit(f"delete_deployment.py: FlinkDeployment {name} does not go")


if __name__ == "__main__":
    main()
