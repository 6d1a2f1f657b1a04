"""The Kubernetes API: how a cluster is reached, requests and watches, the objects it sends."""
