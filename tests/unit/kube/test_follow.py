"""Following objects: each change is told once it happens, and no failure of a watch loses one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, InfrastructureError
from floe_tests.kube import watching
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube, RefusedError
from tests.support.kube_api import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kube_api import Api


def phases(api: Api, *, seconds: float = 30, **options: Any) -> Iterator[dict[str, str]]:
    follow = api.kube().follow("Pod", namespace="ns", deadline=Deadline(seconds), **options)
    for pods in follow:
        yield {name: pod["status"]["phase"] for name, pod in pods.items()}


def watches(api: Api) -> list[dict[str, str]]:
    return [request.query for request in api.script.requests if "watch" in request.query]


def lists(api: Api) -> int:
    return sum("watch" not in request.query for request in api.script.requests)


def test_the_first_state_is_the_list_and_each_change_follows(api: Api):
    api.script.lists.appendleft([api.pod("a", "Pending")])
    api.script.watches.append(
        api.Stream(
            (
                api.change("ADDED", api.pod("b", "Pending")),
                api.change("MODIFIED", api.pod("a", "Running")),
                api.change("DELETED", api.pod("b", "Pending")),
            ),
            then="hang",
        )
    )

    states = phases(api)

    assert [next(states) for _ in range(4)] == [
        {"a": "Pending"},
        {"a": "Pending", "b": "Pending"},
        {"a": "Running", "b": "Pending"},
        {"a": "Running"},
    ]


def test_a_state_that_was_given_is_not_changed_afterwards(api: Api):
    api.script.watches.append(api.Stream((api.change("ADDED", api.pod("a")),), then="hang"))
    states = phases(api)

    first = next(states)
    next(states)

    assert first == {}


def test_nothing_between_list_and_watch_is_missed(api: Api):
    """The watch goes on from the version that the list had."""
    api.script.watches.append(api.Stream((api.change("ADDED", api.pod("a")),), then="hang"))
    states = phases(api, label_selector="job-name=x", field_selector="metadata.name=a")
    next(states)
    next(states)

    (query,) = watches(api)
    assert query["resourceVersion"] == "77"
    assert query["labelSelector"] == api.script.requests[0].query["labelSelector"] == "job-name=x"
    assert query["fieldSelector"] == "metadata.name=a"
    assert "allowWatchBookmarks" not in query, "a bookmark would be taken for an object"


def test_a_change_that_arrives_in_pieces_is_one_change(api: Api):
    line = api.change("ADDED", api.pod("a")) + api.change("ADDED", api.pod("b"))
    api.script.watches.append(api.Stream((line[:10], line[10:-5], line[-5:]), then="hang"))
    states = phases(api)

    assert [sorted(next(states)) for _ in range(3)] == [[], ["a"], ["a", "b"]]


@pytest.mark.parametrize("end", ["clean end", "version too old", "cut"])
def test_after_a_watchs_end_the_list_is_read_afresh(api: Api, end: str):
    api.script.lists.extend([[api.pod("a", "Succeeded")]])
    api.script.watches.append(
        api.Stream((api.expired(),))
        if end == "version too old"
        else api.Stream((), then="cut" if end == "cut" else "end")
    )
    states = phases(api)

    assert [next(states), next(states)] == [{}, {"a": "Succeeded"}]


def test_a_connection_cut_within_a_change_loses_nothing(api: Api):
    api.script.lists.append([api.pod("a", "Failed")])
    api.script.watches.append(api.Stream((api.change("ADDED", api.pod("a"))[:20],), then="cut"))
    states = phases(api)

    assert [next(states), next(states)] == [{}, {"a": "Failed"}]


def test_a_watch_that_has_gone_silent_is_noticed(api: Api, monkeypatch: pytest.MonkeyPatch):
    """A load balancer that forgot the connection sends neither a change nor an end."""
    monkeypatch.setattr(watching, "CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(watching, "_SHORTEST_SECONDS", 0.05)
    api.script.lists.append([api.pod("a", "Failed")])
    api.script.watches.append(api.Stream((), then="hang"))

    states = phases(api, tick_seconds=0)

    assert [next(states), next(states)] == [{}, {"a": "Failed"}]


def test_an_api_server_that_restarts_is_waited_for(api: Api):
    api.script.lists = type(api.script.lists)([503, 500, [api.pod("a")]])

    assert next(phases(api)) == {"a": "Running"}


def test_an_api_server_that_is_just_back_forbids_for_a_moment_what_it_allows(api: Api):
    """Its roles are not loaded yet: a run was once given up for that."""
    api.script.lists = type(api.script.lists)([503, 403, 401, [api.pod("a")]])

    assert next(phases(api)) == {"a": "Running"}


def test_a_watch_that_breaks_off_is_a_sign_that_the_server_was_away(api: Api):
    """It may be back before it is asked again, and not know its roles yet."""
    api.script.lists = type(api.script.lists)([[], 403, [api.pod("a")]])
    api.script.watches.append(api.Stream((), then="cut"))
    states = phases(api)

    assert [next(states), next(states)] == [{}, {"a": "Running"}]


def test_at_the_deadline_the_error_names_what_was_waited_for(api: Api):
    states = phases(api, seconds=0.3)
    assert next(states) == {}

    with pytest.raises(DeadlineError, match=r"waited 0\.3 s for Pod in ns"):
        list(states)


def test_a_server_out_of_reach_up_to_the_deadline_is_an_error_of_the_infrastructure(
    unreachable: ClusterAccess,
):
    clock = Clock()
    kube = Kube(unreachable, clock=clock, pause=clock.pause)
    follow = kube.follow("Pod", namespace="ns", deadline=Deadline(60, clock=clock))

    with pytest.raises(InfrastructureError, match="could not be reached") as raised:
        list(follow)

    assert not isinstance(raised.value, DeadlineError)


def test_a_refusal_ends_the_wait_at_once(api: Api):
    """Five minutes of asking again does not give an account its permission."""
    api.script.lists = type(api.script.lists)([403])

    with pytest.raises(RefusedError, match="403 Forbidden: the server says 403") as raised:
        next(phases(api))

    assert (raised.value.status, raised.value.reason) == (403, "Forbidden")
    assert lists(api) == 1
