"""The Iceberg catalog, asked again while it cannot answer.

A REST catalog keeps its tables' addresses in Postgres. After Postgres restarted, the first request
finds a dead connection in the catalog's pool and is answered with a 5xx; the next one works. So
what may be repeated is asked again until a deadline, and each time that is logged. A refusal (4xx)
is final at once, and so is what still fails at the deadline. Commits are not repeated here:
`commits` finds out first what became of them.
"""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from floe_platform.lakehouse.errors import CatalogError

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from floe_platform.lakehouse.settings import CatalogSettings

# Postgres is back within seconds; a run has two minutes in all.
DEADLINE_SECONDS = 45.0
_REQUEST_TIMEOUT_SECONDS = 20.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Lakehouse:
    """An open lakehouse.

    Attributes:
        catalog: The Iceberg catalog.
        log: Where repeated requests and attempts are reported.
        labels: What every snapshot's summary says about its writer.
        deadline_seconds: How long the catalog may fail to answer.
    """

    catalog: "Catalog"
    log: logging.Logger
    labels: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = DEADLINE_SECONDS

    def ask(self, what: str, request: "Callable[[], _Answer]") -> "_Answer":
        """Send a request that may be repeated.

        Args:
            what: The request in words, for the log and the error: "load bronze.orders".
            request: Sends it.

        Returns:
            Its answer.

        Raises:
            CatalogError: It still failed at the deadline.
        """
        return _ask(what, request, log=self.log, deadline_seconds=self.deadline_seconds)


def connect(
    settings: "CatalogSettings",
    *,
    log: logging.Logger,
    labels: Mapping[str, str] | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Lakehouse:
    """Open the lakehouse.

    Args:
        settings: Where it is.
        log: Where repeated requests and attempts are reported.
        labels: What every snapshot's summary is to say about its writer.
        deadline_seconds: How long the catalog may fail to answer.

    Returns:
        The open lakehouse.

    Raises:
        CatalogError: The catalog did not answer within the deadline, or refused.
    """
    from pyiceberg import exceptions

    try:
        catalog = _ask(
            f"open the catalog {settings.uri}",
            lambda: _rest_catalog(settings),
            log=log,
            deadline_seconds=deadline_seconds,
        )
    except (
        exceptions.UnauthorizedError,
        exceptions.ForbiddenError,
        exceptions.OAuthError,
    ) as error:
        message = (
            f"the catalog {settings.uri} refuses this client: {error}. Look at the Secret "
            "floe-polaris-client, and at the roles of that client."
        )
        raise CatalogError(message) from error
    return Lakehouse(catalog, log, labels or {}, deadline_seconds)


def passing_errors() -> tuple[type[Exception], ...]:
    """Return what a catalog's request raises when another one may succeed."""
    import requests
    from pyiceberg import exceptions

    return (
        exceptions.ServerError,
        exceptions.ServiceUnavailableError,
        exceptions.TooManyRequestsError,
        requests.ConnectionError,
        requests.Timeout,
    )


def _rest_catalog(settings: "CatalogSettings") -> "Catalog":
    # Imported here: the code server loads the definitions without ever opening a catalog.
    from pyiceberg.catalog.rest import RestCatalog

    class TimedCatalog(RestCatalog):
        """pyiceberg waits for an answer for ever."""

        def _create_session(self):
            session = super()._create_session()
            timed = functools.partial(session.request, timeout=_REQUEST_TIMEOUT_SECONDS)
            session.request = timed  # pyright: ignore[reportAttributeAccessIssue] - by keyword alone
            return session

    properties = {
        "uri": settings.uri,
        "warehouse": settings.warehouse,
        # The keys come from a Secret. Credentials that the catalog hands out need an STS.
        "header.X-Iceberg-Access-Delegation": "",
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        "s3.endpoint": settings.s3_endpoint,
        "s3.region": settings.s3_region,
        "s3.access-key-id": settings.s3_access_key,
        "s3.secret-access-key": settings.s3_secret_key,
        "s3.force-virtual-addressing": "false",
        "s3.connect-timeout": "5",
        "s3.request-timeout": "30",
        "s3.retry-strategy-impl": "floe_platform.lakehouse.storage.Patience",
    }
    if settings.kind == "polaris":
        properties |= {
            "credential": f"{settings.client_id}:{settings.client_secret}",
            "scope": settings.scope,
            "oauth2-server-uri": f"{settings.uri}/v1/oauth/tokens",
        }
    return TimedCatalog("floe", **properties)


def _ask(
    what: str, request: "Callable[[], _Answer]", *, log: logging.Logger, deadline_seconds: float
) -> "_Answer":
    started = time.monotonic()
    pause = _FIRST_PAUSE_SECONDS
    attempt = 1
    while True:
        try:
            return request()
        except passing_errors() as error:
            seconds = time.monotonic() - started
            if seconds + pause >= deadline_seconds:
                message = (
                    f"could not {what}: the catalog failed {attempt} times within {seconds:.0f} s, "
                    f"the last time with {type(error).__name__}: {error}. "
                    "Look at the pods `catalog`, `postgres` and `object-storage`, and at the log "
                    "of the first."
                )
                raise CatalogError(message) from error
            log.warning("%s: %s; asking again in %.1f s", what, error, pause)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        attempt += 1
