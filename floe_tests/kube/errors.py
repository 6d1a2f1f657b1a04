"""What can go wrong in a request to the Kubernetes API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator
from http import HTTPStatus
from typing import Any

from floe_tests.core.errors import InfrastructureError


class RefusedError(InfrastructureError):
    """The API server answered, and refused.

    Attributes:
        status: HTTP status code.
        reason: Kubernetes' own reason (`Forbidden`, `AlreadyExists`, `Invalid`).
        repeated: Whether an earlier try of the same request got no answer.
        just_back: Whether the server was away, and has allowed nothing since. One that has just
            started does not know all roles yet, and forbids what it allows a moment later.
    """

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        """Keep the status beside the message."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.repeated = False
        self.just_back = False

    @property
    def is_not_found(self) -> bool:
        """Whether the object, or its namespace, is not there."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        """Whether an object of the name is there already, or was changed meanwhile."""
        return self.status == HTTPStatus.CONFLICT

    @property
    def is_forbidden(self) -> bool:
        """Whether the account lacks the right, or admission says no."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_expired(self) -> bool:
        """Whether the version that a watch began at is too old."""
        return self.status == HTTPStatus.GONE

    @property
    def is_servers_fault(self) -> bool:
        """Whether the server, or a webhook of its, could not do what it should."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_passing(self) -> bool:
        """Whether the server is at fault, and another try can go well."""
        at_fault = self.is_servers_fault or self.status == HTTPStatus.TOO_MANY_REQUESTS
        not_yet_known = self.is_forbidden or self.status == HTTPStatus.UNAUTHORIZED
        return at_fault or (self.just_back and not_yet_known)


def refused(method: str, path: str, error: Any) -> RefusedError:
    """Return the official client's error as ours, with the words of the API's `Status`."""
    text = str(error.body or error.reason or "")
    reason = str(error.reason or "")
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        status = json.loads(error.body)
        text, reason = str(status.get("message", text)), str(status.get("reason", reason))
    code = int(error.status or 0)
    return RefusedError(f"{method} {path}: {code} {reason}: {text}", status=code, reason=reason)


@contextlib.contextmanager
def transport_errors(what: str) -> Generator[None]:
    """Raise our error in place of one of the connection."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        message = f"the Kubernetes API did not answer for {what}: {type(error).__name__}: {error}"
        raise InfrastructureError(message) from error
