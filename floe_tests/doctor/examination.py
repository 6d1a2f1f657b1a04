"""All that is looked at for a tier, beside each other, so that the whole takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from floe_tests.config.environment import EnvironmentName
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.doctor import (
    cluster,
    images,
    installed,
    inventory,
    machine,
    permissions,
    programs,
    security,
)
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import Needs, needs_of

Found = Check | None | Sequence[Check]

_THREADS = 8


def examine(
    tiers: Sequence[TierSettings],
    *,
    environment: EnvironmentName | None,
    workspace: Workspace,
    environ: Mapping[str, str],
) -> tuple[Check, ...]:
    """Look at all that tiers need.

    Args:
        tiers: The tiers.
        environment: Where they are to run; None leaves it to FLOE_TESTS_CLUSTER and each tier.
        workspace: The project.
        environ: The variables, as `os.environ`.

    Returns:
        What was found, without repetition, in a steady order.
    """
    places: dict[str, EnvironmentName] = {
        tier.name: environment or workspace.environment or tier.environments[0] for tier in tiers
    }
    with_local = "local" in places.values()

    def look(tier: TierSettings) -> tuple[Check, ...]:
        return _examine_tier(workspace.adapted(tier), places[tier.name], workspace)

    with ThreadPoolExecutor(_THREADS) as pool:
        everywhere = [
            pool.submit(machine.check_packages, extras=("local",) if with_local else ()),
            pool.submit(machine.check_home, workspace, environ),
            pool.submit(machine.check_output, workspace),
            pool.submit(machine.check_history, workspace),
            pool.submit(inventory.check_leases, workspace),
        ]
        # In threads of their own: each of them waits for others of the pool.
        with ThreadPoolExecutor(max(1, len(tiers))) as each:
            found = list(each.map(look, tiers))
        first = [check for future in everywhere for check in _flat(future.result())]
    return tuple(dict.fromkeys([*first, *(check for checks in found for check in checks)]))


def _examine_tier(
    tier: TierSettings, provider: EnvironmentName, workspace: Workspace
) -> tuple[Check, ...]:
    if provider not in tier.environments:
        name = f"tier {tier.name}"
        found = f"does not run on {provider}; it runs on {', '.join(tier.environments)}"
        return (Check(name, "failed", found, f"floe-tests doctor {tier.name}"),)
    if provider == "local":
        checks = (machine.check_local(suite.command) for suite in tier.suites)
        return tuple(check for check in checks if check is not None)
    with ThreadPoolExecutor(_THREADS) as pool:
        looks: list[Future[Found]] = [pool.submit(look) for look in _programs(tier, provider)]
        reached = cluster.reach(tier, provider)
        needs = needs_of(tier, provider, workspace, kube_version=reached.version)
        later = [pool.submit(look) for look in _cluster(tier, provider, workspace, reached, needs)]
        return tuple(
            check
            for found in (
                *(look.result() for look in looks),
                reached.checks,
                needs.checks,
                *(look.result() for look in later),
            )
            for check in _flat(found)
        )


def _programs(tier: TierSettings, provider: EnvironmentName) -> Iterable[Callable[[], Found]]:
    if provider == "kind":
        yield lambda: programs.check_docker(memory_mib=tier.budget.memory_mib)
        yield lambda: programs.check_program("kind")
    if tier.releases:
        yield lambda: programs.check_program("helm")
    yield lambda: programs.check_program("kubectl")


def _cluster(
    tier: TierSettings,
    provider: EnvironmentName,
    workspace: Workspace,
    reached: cluster.Reached,
    needs: Needs,
) -> Iterable[Callable[[], Found]]:
    kube = reached.kube
    yield lambda: security.check_pod_security(needs, kube=kube, kube_version=reached.version)
    if kube is not None:
        if provider == "context":
            yield lambda: permissions.check_permissions(kube, needs)
        yield lambda: cluster.check_nodes(kube, needs)
        yield lambda: cluster.check_storage(kube, needs)
        yield lambda: cluster.check_network(kube)
        if tier.installed is not None:
            yield lambda: installed.check_installed(kube, needs, workspace)
        else:
            yield lambda: inventory.check_namespaces(kube)
    node = [workspace.image(tier.kind.node_image)] if provider == "kind" and kube is None else []
    # A run copies these from the local Docker into the node.
    loaded = workspace.loaded_images(tier.kind.load_images) if provider == "kind" else ()
    in_docker = [*node, *loaded]
    yield lambda: images.check_images([*node, *needs.images], in_docker=in_docker, kube=kube)


def _flat(found: Found) -> Sequence[Check]:
    if found is None:
        return ()
    return (found,) if isinstance(found, Check) else found
