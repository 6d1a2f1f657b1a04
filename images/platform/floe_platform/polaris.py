"""Speaks to Polaris: access tokens, its management API, its catalog API. Standard library only.

Source: spec/polaris-management-service.yml of Apache Polaris 1.2; the Iceberg REST specification.
"""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

_TIMEOUT_SECONDS = 15
_NOT_FOUND = 404
# How a token service refuses credentials. Source: RFC 6749, 5.2; Polaris answers with 401.
_CREDENTIALS = (400, 401)


class PolarisError(Exception):
    """Polaris could not be asked, or did not do what it was asked for."""


class UnavailableError(PolarisError):
    """Nobody answered, or the server has trouble of its own; asking later may help."""


class RefusedError(PolarisError):
    """Polaris understood, and refused.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        """Keep the status beside the message."""
        super().__init__(message)
        self.status = status

    @property
    def is_of_credentials(self) -> bool:
        """Whether a login was refused because of its credentials, and not of its address."""
        return self.status in _CREDENTIALS


@dataclass(frozen=True)
class Credentials:
    """What a principal logs in with."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class Polaris:
    """A realm of a Polaris server.

    Attributes:
        url: Address of the server, without a path.
        realm: The realm.
        token: Access token of a principal; empty before the login.
    """

    url: str
    realm: str
    token: str = field(default="", repr=False)

    def logged_in(self, credentials: Credentials) -> "Polaris":
        """Log in as a principal.

        Args:
            credentials: The principal's.

        Returns:
            The same realm, with the principal's token.

        Raises:
            UnavailableError: Polaris cannot be asked now.
            RefusedError: Polaris does not know these credentials.
        """
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
            "scope": "PRINCIPAL_ROLE:ALL",
        }
        answer = self._ask(
            "POST",
            "/api/catalog/v1/oauth/tokens",
            urllib.parse.urlencode(form).encode(),
            "application/x-www-form-urlencoded",
        )
        if not answer.get("access_token"):
            message = f"{self.url} has answered a login without a token: is it Polaris?"
            raise UnavailableError(message)
        return Polaris(self.url, self.realm, str(answer["access_token"]))

    def manage(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the management API.

        Args:
            method: HTTP method.
            path: Path below /api/management/v1.
            body: What is sent, as JSON.

        Returns:
            The answer's JSON; empty when the answer has no content.

        Raises:
            UnavailableError: Polaris cannot be asked now.
            RefusedError: Polaris refused.
        """
        content = None if body is None else json.dumps(body).encode()
        return self._ask(method, f"/api/management/v1{path}", content, "application/json")

    def find(self, path: str) -> dict[str, Any] | None:
        """Get an object of the management API.

        Args:
            path: Path below /api/management/v1.

        Returns:
            The object, or None when it is not there.

        Raises:
            UnavailableError: Polaris cannot be asked now.
            RefusedError: Polaris refused.
        """
        try:
            return self.manage("GET", path)
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def catalog_settings(self, catalog: str) -> dict[str, Any]:
        """Ask what every Iceberg client asks first, as the principal that is logged in.

        Args:
            catalog: Name of the catalog.

        Returns:
            Defaults and overrides of the catalog.

        Raises:
            UnavailableError: Polaris cannot be asked now.
            RefusedError: The catalog is not there, or the principal may not use it.
        """
        query = urllib.parse.urlencode({"warehouse": catalog})
        return self._ask("GET", f"/api/catalog/v1/config?{query}", None, "application/json")

    def _ask(self, method: str, path: str, content: bytes | None, kind: str) -> dict[str, Any]:
        headers = {"Content-Type": kind, "Accept": "application/json", "Polaris-Realm": self.realm}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(  # noqa: S310 - the address comes from the chart
            f"{self.url}{path}", data=content, headers=headers, method=method
        )
        what = f"{method} {self.url}{path}"
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                text = response.read()
        except urllib.error.HTTPError as error:
            raise _refusal(what, error) from error
        except (OSError, http.client.HTTPException) as error:
            message = f"{what} got no answer: {error}"
            raise UnavailableError(message) from error
        try:
            answer = json.loads(text) if text else {}
        except ValueError as error:
            message = f"{what} got an answer that is no JSON"
            raise UnavailableError(message) from error
        if not isinstance(answer, dict):
            message = f"{what} got an answer that is no JSON object"
            raise UnavailableError(message)
        return answer


def _refusal(what: str, error: urllib.error.HTTPError) -> PolarisError:
    """Read an error's reason; its JSON has `error.message`, an OAuth one `error_description`."""
    try:
        answer = json.load(error)
        told = answer.get("error_description") or answer["error"]["message"]
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        told = error.reason
    message = f"{what} was answered with {error.code}: {told}"
    # A slow request, too many of them and the server's own trouble pass; the rest does not.
    if error.code >= 500 or error.code in {408, 429}:  # noqa: PLR2004 - HTTP's own numbers
        return UnavailableError(message)
    return RefusedError(message, status=error.code)
