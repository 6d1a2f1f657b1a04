"""All that is looked at for a tier, beside each other, so that the whole takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from floe_tests.config.project import Workspace
from floe_tests.config.providers import EnvironmentName
from floe_tests.config.tier import TierSettings
from floe_tests.doctor import (
    cluster,
    images,
    installed,
    inventory,
    machine,
    manifests,
    permissions,
    programs,
    security,
)
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import Needs, needs_of
from floe_tests.environments.provider import Provider, provider_of

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
    places = {
        tier.name: provider_of(environment or workspace.environment or tier.environments[0])
        for tier in tiers
    }
    extras = {extra for place in places.values() for extra in place.capabilities.extras}

    def look(tier: TierSettings) -> tuple[Check, ...]:
        return _examine_tier(workspace.adapted(tier), places[tier.name], workspace)

    with ThreadPoolExecutor(_THREADS) as pool:
        everywhere = [
            pool.submit(machine.check_packages, extras=tuple(sorted(extras))),
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
    tier: TierSettings, provider: Provider, workspace: Workspace
) -> tuple[Check, ...]:
    if provider.name not in tier.environments:
        name = f"tier {tier.name}"
        found = f"does not run on {provider.name}; it runs on {', '.join(tier.environments)}"
        return (Check(name, "failed", found, f"floe-tests doctor {tier.name}"),)
    if not provider.capabilities.is_cluster:
        checks = (machine.check_local(suite.command) for suite in tier.suites)
        wanted = (programs.check_program(each) for each in provider.capabilities.programs)
        return (*wanted, *(check for check in checks if check is not None))
    with ThreadPoolExecutor(_THREADS) as pool:
        looks: list[Future[Found]] = [pool.submit(look) for look in _programs(tier, provider)]
        reached = cluster.reach(tier, provider)
        needs = needs_of(tier, provider.name, workspace, kube_version=reached.version)
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


def _programs(tier: TierSettings, provider: Provider) -> Iterable[Callable[[], Found]]:
    if provider.capabilities.needs_docker:
        yield lambda: programs.check_docker(memory_mib=tier.budget.memory_mib)
    for wanted in provider.capabilities.programs:
        yield partial(programs.check_program, wanted)
    if tier.releases:
        yield lambda: programs.check_program(programs.HELM)
    yield lambda: programs.check_program(programs.KUBECTL)


def _cluster(
    tier: TierSettings,
    provider: Provider,
    workspace: Workspace,
    reached: cluster.Reached,
    needs: Needs,
) -> Iterable[Callable[[], Found]]:
    kube = reached.kube
    yield lambda: security.check_pod_security(needs, kube=kube, kube_version=reached.version)
    prefix = workspace.image_registry_prefix
    yield lambda: manifests.check_manifests(needs, image_registry_prefix=prefix)
    if kube is not None:
        if not provider.capabilities.creates_clusters:
            yield lambda: permissions.check_permissions(kube, needs)
        yield lambda: cluster.check_nodes(kube, needs)
        yield lambda: cluster.check_storage(kube, needs)
        yield lambda: cluster.check_network(kube)
        if tier.installed is not None:
            yield lambda: installed.check_installed(kube, needs, workspace)
        else:
            yield lambda: inventory.check_namespaces(kube)
    own, copied = provider.docker_images(tier, workspace, is_there=kube is not None)
    in_docker = [*own, *copied]
    yield lambda: images.check_images([*own, *needs.images], in_docker=in_docker, kube=kube)


def _flat(found: Found) -> Sequence[Check]:
    if found is None:
        return ()
    return (found,) if isinstance(found, Check) else found
