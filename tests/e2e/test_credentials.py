"""Who has the wrong credentials gets nothing; each time, the right ones work in the same way."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import requests

from platform_suite.cube_api import CUBE
from platform_suite.lakehouse import Lakehouse, catalog_settings
from platform_suite.object_storage import BUCKET, ObjectStorage

from .batches import TABLES

if TYPE_CHECKING:
    from platform_suite.cube_api import CubeApi

    from .story import TwoAtOnce

pytestmark = pytest.mark.kubernetes

WAREHOUSE = f"s3://{BUCKET}/"
# By the storage's own word: a network that is away raises an OSError too.
REFUSED = r"(?i)access.?denied|signature.*not match|no user exists"
WRONG = "not-the-secret-of-this-release-0123456789"


def test_object_storage_opens_with_its_own_keys(
    storage: ObjectStorage, two_at_once: TwoAtOnce
) -> None:
    """What the next three tests do, with what they do not have."""
    assert two_at_once.first.run.status == "SUCCESS", two_at_once.first.reasons()
    assert any(path.endswith(".parquet") for path in storage.sizes(WAREHOUSE))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"secret_key": WRONG}, id="wrong secret"),
        pytest.param({"access_key": "nobody"}, id="unknown account"),
    ],
)
def test_object_storage_refuses_wrong_keys(wrong: dict[str, str]) -> None:
    """Neither an account without its secret opens anything, nor a secret without its account."""
    right = {
        "access_key": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    }
    stranger = ObjectStorage(**{**right, **wrong})
    with pytest.raises(OSError, match=REFUSED):
        stranger.sizes(WAREHOUSE)


def test_object_storage_refuses_who_signs_nothing() -> None:
    """No bucket and no object is public."""
    endpoint = os.environ["FLOE_S3_ENDPOINT"]
    for path in ("/", f"/{BUCKET}/", f"/{BUCKET}?list-type=2"):
        response = requests.get(endpoint + path, timeout=20)
        assert response.status_code == 403, (path, response.text)


def test_cube_refuses_who_has_no_token(cube: CubeApi) -> None:
    """Numbers are for those who sign."""
    response = cube.ask({"measures": [f"{CUBE}.orders"]}, token=None)
    assert response.status_code == 403, response.text
    assert "data" not in response.json()


@pytest.mark.parametrize("path", ["meta", "load", "sql"])
def test_cube_refuses_a_token_of_another_secret(cube: CubeApi, path: str) -> None:
    """A token is as good as its signature."""
    token = cube.token(secret=WRONG)
    parameters = {"query": json.dumps({"measures": []})}
    response = cube.get(f"/cubejs-api/v1/{path}", token=token, parameters=parameters)
    assert response.status_code == 403, response.text


def test_cube_refuses_a_token_that_has_expired(cube: CubeApi) -> None:
    """A token that was lost is worth nothing after its time."""
    response = cube.get("/cubejs-api/v1/meta", token=cube.token(expires_in_seconds=-60))
    assert response.status_code == 403, response.text
    assert cube.get("/cubejs-api/v1/meta", token=cube.token()).status_code == 200


def test_cube_has_no_playground_in_which_to_try_secrets() -> None:
    """Development mode would show the model, and mint tokens, to everybody."""
    url = f"http://{os.environ['CUBE_HOST']}:4000"
    for path in ("/playground/context", "/playground/token"):
        response = requests.get(url + path, timeout=20)
        assert response.status_code in {403, 404}, (path, response.text)


def test_wrong_keys_read_no_table_even_through_the_catalog(two_at_once: TwoAtOnce) -> None:
    """A catalog tells where the files are; it does not open them for anybody."""
    assert two_at_once.first.run.status == "SUCCESS", two_at_once.first.reasons()
    stranger = Lakehouse({**catalog_settings(os.environ), "s3.secret-access-key": WRONG})
    with pytest.raises(OSError, match=REFUSED):
        stranger.read_once(TABLES[0])
