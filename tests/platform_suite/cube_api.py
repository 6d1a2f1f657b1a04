"""Cube's REST API: what a dashboard asks, with the token it would send."""

from __future__ import annotations

import json
import os
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import jwt
import requests

from .deadline import NotYet, wait_for
from .order_rules import DayTotal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .order_rules import DailyTotals

CUBE = "DailyTotals"
PORT = 4000
_TOKEN_SECONDS = 600
_ANSWER_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


class CubeApi:
    """One Cube.

    Args:
        base_url: Where it answers.
        secret: What tokens are signed with.
        timeout_seconds: The longest one HTTP exchange may take; Cube itself answers "Continue
            wait" before.
    """

    def __init__(self, base_url: str, secret: str, *, timeout_seconds: float = 30) -> None:
        self.base_url = base_url
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        # A proxy of the machine has no business between two pods.
        self._session.trust_env = False

    @classmethod
    def of_this_pod(cls) -> CubeApi:
        """Find Cube and its secret in the pod's environment."""
        return cls(f"http://{os.environ['CUBE_HOST']}:{PORT}", os.environ["CUBE_API_SECRET"])

    def close(self) -> None:
        """Return the connections back."""
        self._session.close()

    def token(
        self, *, expires_in_seconds: float = _TOKEN_SECONDS, secret: str | None = None
    ) -> str:
        """Sign a token.

        Args:
            expires_in_seconds: From now; a negative one has expired.
            secret: Signed with this; None for Cube's own secret.
        """
        now = int(time.time())
        claims = {"iat": now - _TOKEN_SECONDS, "exp": now + int(expires_in_seconds)}
        return jwt.encode(claims, self._secret if secret is None else secret, algorithm="HS256")

    def get(
        self, path: str, *, token: str | None, parameters: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Ask for a path with a token, or without one.

        Raises:
            NotYet: Nothing answered in time; inside a wait that is one more state to wait out.
        """
        try:
            return self._session.get(
                self.base_url + path,
                params=parameters,
                headers={} if token is None else {"Authorization": token},
                timeout=self._timeout_seconds,
            )
        except requests.RequestException as error:
            raise NotYet(str(error)) from error

    def ask(self, query: Mapping[str, object], *, token: str | None) -> requests.Response:
        """Send a query once, whatever comes back."""
        parameters = {"query": json.dumps(query)}
        return self.get("/cubejs-api/v1/load", token=token, parameters=parameters)

    def load(self, query: Mapping[str, object]) -> list[Mapping[str, Any]]:
        """Send a query until Cube has its answer.

        Raises:
            NotYet: It does not answer yet: it still computes, or what it asks was away.
        """
        response = self.ask(query, token=self.token())
        if response.status_code >= 500:
            raise NotYet(f"HTTP {response.status_code}: {response.text}")
        answer = response.json()
        if answer.get("error") == "Continue wait":
            raise NotYet("Cube still works on the query")
        assert response.status_code == 200, answer
        return answer["data"]

    def daily_totals(self) -> DailyTotals:
        """Read orders and revenue by day.

        Raises:
            NotYet: As above.
        """
        # Without `renewQuery` an answer may be as old as the interval of Cube's refresh key.
        query = {
            "measures": [f"{CUBE}.orders", f"{CUBE}.revenueCents"],
            "dimensions": [f"{CUBE}.day"],
            "renewQuery": True,
        }
        return {
            date.fromisoformat(row[f"{CUBE}.day"][:10]): DayTotal(
                int(row[f"{CUBE}.orders"]), int(row[f"{CUBE}.revenueCents"])
            )
            for row in self.load(query)
        }

    def wait_for_rows(self, query: Mapping[str, object]) -> list[Mapping[str, Any]]:
        """Send a query and wait for its answer.

        Raises:
            DeadlineExceeded: None came in time.
        """
        return wait_for(
            lambda: self.load(query),
            what="an answer of Cube",
            deadline_seconds=_ANSWER_SECONDS,
            pause_seconds=_PAUSE_SECONDS,
        )

    def current_daily_totals(self) -> DailyTotals:
        """Wait for orders and revenue by day, whatever they are.

        Raises:
            DeadlineExceeded: No answer came in time.
        """
        return wait_for(
            self.daily_totals,
            what="the daily totals in Cube",
            deadline_seconds=_ANSWER_SECONDS,
            pause_seconds=_PAUSE_SECONDS,
        )

    def wait_for_daily_totals(self, wanted: DailyTotals) -> None:
        """Wait until Cube tells these numbers.

        Raises:
            DeadlineExceeded: It did not; the text has the numbers it told last.
        """

        def probe() -> None:
            told = self.daily_totals()
            if told != wanted:
                raise NotYet(f"Cube tells {told}")

        wait_for(
            probe,
            what=f"{len(wanted)} days in Cube as they must be: {wanted}",
            deadline_seconds=_ANSWER_SECONDS,
            pause_seconds=_PAUSE_SECONDS,
        )
