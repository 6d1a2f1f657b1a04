"""The full form of `floe-platform`: credentials, who reaches whom, and what starts after what."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import yaml
from rendered import (
    CHART,
    ICEBERG_REST,
    MINIMAL,
    POLARIS,
    PRODUCTION,
    Manifest,
    Render,
    containers,
    named,
    of_kind,
    pod_specs,
)

KINDS = [pytest.param(POLARIS, id="polaris"), pytest.param(ICEBERG_REST, id="iceberg-rest")]
FORMS = [*KINDS, pytest.param(PRODUCTION, id="production")]
POSTGRES_SECRETS = {
    "floe-postgres-dagster",
    "floe-postgres-catalog",
    "floe-postgres-serving",
    "floe-postgres-cube",
}
POLARIS_SECRETS = {"floe-polaris-root", "floe-polaris-client", "floe-polaris-token"}
OWN_SECRETS = {"floe-postgres", *POSTGRES_SECRETS, "floe-object-storage", "floe-cube-api"}


@pytest.fixture(scope="module", params=FORMS)
def manifests(request: pytest.FixtureRequest, render: Render) -> list[Manifest]:
    return render("floe-platform", *request.param)


@pytest.fixture(scope="module")
def polaris(render: Render) -> list[Manifest]:
    return render("floe-platform", *POLARIS)


@pytest.fixture(scope="module")
def iceberg_rest(render: Render) -> list[Manifest]:
    return render("floe-platform", *ICEBERG_REST)


@pytest.fixture(scope="module")
def production(render: Render) -> list[Manifest]:
    return render("floe-platform", *PRODUCTION)


def environment(container: Manifest) -> dict[str, Any]:
    return {each["name"]: each.get("value", each) for each in container.get("env", [])}


def secret_of(variable: Any) -> tuple[str, str]:
    reference = variable["valueFrom"]["secretKeyRef"]
    return reference["name"], reference["key"]


def container(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return named(manifests, kind, name)["spec"]["template"]["spec"]["containers"][0]


def test_the_full_form_is_what_the_catalogs_kind_asks_for(
    polaris: list[Manifest], iceberg_rest: list[Manifest]
) -> None:
    common = {
        *("Deployment/dagster-code", "Deployment/dagster-daemon", "Deployment/dagster-webserver"),
        *("Deployment/catalog", "Deployment/cube", "Pod/floe-platform-test"),
        *("StatefulSet/postgres", "StatefulSet/object-storage"),
    }

    assert {name for name, _ in pod_specs(iceberg_rest)} == common
    jobs = {"Job/floe-catalog-realm-1", "Job/floe-catalog-setup"}
    assert {name for name, _ in pod_specs(polaris)} == {*common, *jobs}


def test_no_code_path_takes_iceberg_rest_for_polaris(iceberg_rest: list[Manifest]) -> None:
    """But for the name of the Service, which clients find either by."""
    left = [each for each in iceberg_rest if each["metadata"]["name"] != "polaris"]
    text = yaml.safe_dump(left)

    assert "apache/polaris" not in text
    assert "polaris_setup" not in text
    assert "floe-polaris" not in text
    assert re.findall("http://polaris:8181", text)
    assert named(iceberg_rest, "ConfigMap", "floe-lakehouse")["data"]["FLOE_CATALOG_KIND"] == (
        "iceberg-rest"
    )


def test_production_brings_neither_postgres_nor_object_storage(production: list[Manifest]) -> None:
    assert of_kind(production, "StatefulSet") == []
    assert {each["metadata"]["name"] for each in of_kind(production, "Service")} == {
        *("dagster-webserver", "dagster-code", "polaris", "cube")
    }


# Credentials


def test_each_credential_has_a_secret_of_its_own(
    polaris: list[Manifest], iceberg_rest: list[Manifest]
) -> None:
    def secrets(manifests: list[Manifest]) -> dict[str, set[str]]:
        return {
            each["metadata"]["name"]: set(each["data"]) for each in of_kind(manifests, "Secret")
        }

    assert secrets(iceberg_rest) == {
        "floe-postgres": {"password"},
        **{name: {"password"} for name in POSTGRES_SECRETS},
        "floe-object-storage": {"access-key", "secret-key"},
        "floe-cube-api": {"secret"},
    }
    assert secrets(polaris) == {
        **secrets(iceberg_rest),
        "floe-polaris-root": {"client-id", "client-secret"},
        "floe-polaris-client": {"client-id", "client-secret"},
        "floe-polaris-token": {"key"},
    }


def credential_values(manifests: list[Manifest]) -> list[str]:
    return [
        base64.b64decode(value).decode()
        for secret in of_kind(manifests, "Secret")
        for value in secret["data"].values()
    ]


def test_generated_credentials_are_long_and_differ(polaris: list[Manifest]) -> None:
    values = credential_values(polaris)

    assert len(set(values)) == len(values)
    assert min(len(value) for value in values) >= 16


def test_polaris_takes_the_generated_credentials_of_the_principal(polaris: list[Manifest]) -> None:
    data = named(polaris, "Secret", "floe-polaris-client")["data"]

    assert re.fullmatch("[0-9a-f]{16}", base64.b64decode(data["client-id"]).decode())
    assert re.fullmatch("[0-9a-f]{32}", base64.b64decode(data["client-secret"]).decode())


def test_no_credential_stands_outside_its_secret(polaris: list[Manifest]) -> None:
    """A ConfigMap or a command line is read by far more people than a Secret."""
    others = yaml.safe_dump([each for each in polaris if each["kind"] != "Secret"])

    assert [value for value in credential_values(polaris) if value in others] == []


def test_no_container_gets_a_credential_as_a_plain_value(manifests: list[Manifest]) -> None:
    telling = re.compile("PASS|SECRET|ACCESS_KEY|CLIENT_ID|TOKEN")
    for name, each in containers(manifests):
        for variable in each.get("env", []):
            if telling.search(variable["name"]):
                assert "secretKeyRef" in variable.get("valueFrom", {}), f"{name} {variable}"


def test_every_secret_that_is_used_is_made_or_named_in_the_values(
    polaris: list[Manifest], production: list[Manifest]
) -> None:
    def used(manifests: list[Manifest]) -> set[str]:
        variables = {
            secret_of(variable)[0]
            for _, each in containers(manifests)
            for variable in each.get("env", [])
            if "valueFrom" in variable
        }
        volumes = {
            volume["secret"]["secretName"]
            for _, spec in pod_specs(manifests)
            for volume in spec.get("volumes", [])
            if "secret" in volume
        }
        return variables | volumes

    made = {each["metadata"]["name"] for each in of_kind(polaris, "Secret")}
    assert used(polaris) == made == OWN_SECRETS | POLARIS_SECRETS
    external = {*POSTGRES_SECRETS, "floe-object-storage"}
    made = {each["metadata"]["name"] for each in of_kind(production, "Secret")}
    assert used(production) - made == external


@pytest.mark.parametrize(
    ("value", "generated", "key"),
    [
        ("postgres.existingSecret", "floe-postgres", "passwordKey"),
        ("postgres.dagster.existingSecret", "floe-postgres-dagster", "passwordKey"),
        ("postgres.catalog.existingSecret", "floe-postgres-catalog", "passwordKey"),
        ("postgres.serving.existingSecret", "floe-postgres-serving", "passwordKey"),
        ("postgres.cube.existingSecret", "floe-postgres-cube", "passwordKey"),
        ("objectStorage.existingSecret", "floe-object-storage", "secretKeyKey"),
        ("cube.existingSecret", "floe-cube-api", "secretKey"),
        ("catalog.polaris.rootSecret", "floe-polaris-root", "clientSecretKey"),
        ("catalog.polaris.clientSecret", "floe-polaris-client", "clientSecretKey"),
        ("catalog.polaris.tokenSecret", "floe-polaris-token", "keyKey"),
    ],
)
def test_a_secret_that_exists_takes_the_place_of_the_generated_one(
    value: str, generated: str, key: str, render: Render
) -> None:
    rendered = render(
        "floe-platform", "--set", f"{value}.name=mine", "--set", f"{value}.{key}=there"
    )

    text = yaml.safe_dump([each for each in rendered if each["kind"] != "ConfigMap"])
    assert generated not in {each["metadata"]["name"] for each in of_kind(rendered, "Secret")}
    assert f"name: {generated}\n" not in text
    assert "mine" in text
    assert "key: there" in text


def test_a_kept_database_keeps_what_opens_it(render: Render) -> None:
    """A volume whose password is gone is lost."""
    rendered = render("floe-platform", "--set", "postgres.volume.keep=true")

    def is_kept(manifest: Manifest) -> bool:
        annotations = manifest["metadata"].get("annotations", {})
        return annotations.get("helm.sh/resource-policy") == "keep"

    kept = {each["metadata"]["name"] for each in of_kind(rendered, "Secret") if is_kept(each)}
    assert is_kept(named(rendered, "PersistentVolumeClaim", "floe-platform-postgres"))
    assert kept == {
        *("floe-postgres", *POSTGRES_SECRETS),
        *("floe-polaris-root", "floe-polaris-client"),
    }


def test_a_realm_in_a_database_outside_keeps_its_credentials(production: list[Manifest]) -> None:
    for name in ("floe-polaris-root", "floe-polaris-client"):
        annotations = named(production, "Secret", name)["metadata"]["annotations"]
        assert annotations == {"helm.sh/resource-policy": "keep"}


# Databases


def test_the_databases_script_takes_passwords_from_the_environment_alone() -> None:
    script = (CHART / "files" / "postgres" / "databases.sh").read_text()

    assert not re.search(r"psql .*PASSWORD", script)
    assert "VERBOSITY=terse" in script
    assert "SET log_min_error_statement = 'panic'" in script


def test_postgres_makes_the_roles_that_everybody_logs_in_as(polaris: list[Manifest]) -> None:
    given = environment(container(polaris, "StatefulSet", "postgres"))

    for role in ("dagster", "catalog", "serving", "cube"):
        assert given[f"{role.upper()}_USER"] == role
        assert secret_of(given[f"{role.upper()}_PASSWORD"]) == (f"floe-postgres-{role}", "password")
    mounts = container(polaris, "StatefulSet", "postgres")["volumeMounts"]
    assert "/docker-entrypoint-initdb.d/10-databases.sh" in {each["mountPath"] for each in mounts}


def test_each_client_logs_in_with_its_own_role(iceberg_rest: list[Manifest]) -> None:
    logins = {
        "dagster-webserver": "dagster",
        "dagster-daemon": "dagster",
        "dagster-code": "dagster",
        "catalog": "catalog",
        "cube": "cube",
    }
    for name, role in logins.items():
        spec = named(iceberg_rest, "Deployment", name)["spec"]["template"]["spec"]
        login = spec["initContainers"][0]
        given = environment(login)
        assert login["name"] == "postgres-login", name
        assert given["PGUSER"] == role
        assert given["PGDATABASE"] == ("serving" if role == "cube" else role)
        assert secret_of(given["PGPASSWORD"]) == (f"floe-postgres-{role}", "password")
        assert "--deadline-seconds" in login["command"]
        assert login["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_tls_to_a_postgres_outside_is_asked_of_every_client(production: list[Manifest]) -> None:
    for name in ("dagster-webserver", "dagster-daemon", "dagster-code"):
        assert environment(container(production, "Deployment", name))["PGSSLMODE"] == "require"
    settings = named(production, "ConfigMap", "floe-polaris")["data"]["application.properties"]
    assert "/catalog?sslmode=require" in settings
    assert environment(container(production, "Deployment", "cube"))["CUBEJS_DB_SSL"] == "true"


# Clients


def test_the_lakehouse_settings_are_what_clients_agreed_on(
    polaris: list[Manifest], iceberg_rest: list[Manifest]
) -> None:
    common = {
        "FLOE_S3_ENDPOINT": "http://object-storage:7070",
        "FLOE_S3_REGION": "us-east-1",
        "FLOE_SERVING_HOST": "postgres",
        "FLOE_SERVING_PORT": "5432",
        "FLOE_SERVING_DB": "serving",
        "FLOE_SERVING_USER": "serving",
    }

    assert named(iceberg_rest, "ConfigMap", "floe-lakehouse")["data"] == {
        **common,
        "FLOE_CATALOG_KIND": "iceberg-rest",
        "FLOE_CATALOG_URI": "http://polaris:8181",
        "FLOE_CATALOG_WAREHOUSE": "s3://warehouse/",
        "FLOE_CATALOG_SCOPE": "",
    }
    assert named(polaris, "ConfigMap", "floe-lakehouse")["data"] == {
        **common,
        "FLOE_CATALOG_KIND": "polaris",
        "FLOE_CATALOG_URI": "http://polaris:8181/api/catalog",
        "FLOE_CATALOG_WAREHOUSE": "floe",
        "FLOE_CATALOG_SCOPE": "PRINCIPAL_ROLE:ALL",
    }


def test_the_code_location_alone_gets_the_lakehouse_and_its_credentials(
    polaris: list[Manifest],
) -> None:
    code = container(polaris, "Deployment", "dagster-code")
    given = environment(code)

    assert code["envFrom"] == [{"configMapRef": {"name": "floe-lakehouse"}}]
    assert secret_of(given["FLOE_SERVING_PASSWORD"]) == ("floe-postgres-serving", "password")
    assert secret_of(given["AWS_ACCESS_KEY_ID"]) == ("floe-object-storage", "access-key")
    assert secret_of(given["AWS_SECRET_ACCESS_KEY"]) == ("floe-object-storage", "secret-key")
    assert secret_of(given["FLOE_CATALOG_CLIENT_ID"]) == ("floe-polaris-client", "client-id")
    for name in ("dagster-webserver", "dagster-daemon"):
        other = container(polaris, "Deployment", name)
        assert "envFrom" not in other
        assert "AWS_SECRET_ACCESS_KEY" not in environment(other)


def test_changed_lakehouse_settings_restart_the_code_location(render: Render) -> None:
    def checksum(*arguments: str) -> str:
        rendered = render("floe-platform", *ICEBERG_REST, *arguments)
        template = named(rendered, "Deployment", "dagster-code")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/lakehouse"]

    assert checksum() != checksum("--set", "objectStorage.region=eu-west-1")


def test_duckdb_runs_go_one_by_one_beside_others(render: Render, polaris: list[Manifest]) -> None:
    def runs(manifests: list[Manifest]) -> dict[str, Any]:
        configuration = named(manifests, "ConfigMap", "floe-platform")["data"]["dagster.yaml"]
        return yaml.safe_load(configuration)["concurrency"]["runs"]

    assert runs(polaris) == {
        "max_concurrent_runs": 2,
        "tag_concurrency_limits": [{"key": "floe/warehouse", "value": "duckdb", "limit": 1}],
    }
    many = render("floe-platform", *MINIMAL, "--set", "runs.maxConcurrent=5")
    assert runs(many) == {"max_concurrent_runs": 1}


# Polaris


def test_the_setup_runs_after_each_change_and_may_not_write_secrets(
    polaris: list[Manifest],
) -> None:
    job = named(polaris, "Job", "floe-catalog-setup")
    spec = job["spec"]["template"]["spec"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == (
        "post-install,post-upgrade,post-rollback"
    )
    assert spec["automountServiceAccountToken"] is False
    assert job["spec"]["activeDeadlineSeconds"] > 0
    roles = {each["metadata"]["name"] for each in of_kind(polaris, "Role")}
    assert roles == {"floe-test-runner"}


def test_polaris_begins_with_its_database_and_realm(polaris: list[Manifest]) -> None:
    spec = named(polaris, "Deployment", "catalog")["spec"]["template"]["spec"]
    login, realm = spec["initContainers"]

    assert (login["name"], realm["name"]) == ("postgres-login", "realm")
    assert realm["command"][2:4] == ["floe_platform.polaris_realm", "whole"]
    assert spec["securityContext"]["runAsUser"] == 10000
    settings = named(polaris, "ConfigMap", "floe-polaris")["data"]["application.properties"]
    assert "polaris.persistence.type=relational-jdbc" in settings
    assert "password" not in settings


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_one_job_makes_the_realm_however_many_pods_wait_for_it(
    render: Render, replicas: int
) -> None:
    """Two bootstraps at once leave a realm that Polaris' tool waits for without end."""
    rendered = render("floe-platform", "--set", f"catalog.replicas={replicas}")

    tool = [
        name
        for name, spec in pod_specs(rendered)
        for each in (*spec.get("initContainers", []), *spec["containers"])
        if "polaris-admin-tool" in each["image"]
    ]
    assert tool == ["Job/floe-catalog-realm-1"]
    # Its name is another one in each revision: it must not roll the catalog's pods.
    assert "catalog-realm" not in yaml.safe_dump(named(rendered, "Deployment", "catalog"))


def test_the_realms_job_looks_first_and_gives_up_in_time(polaris: list[Manifest]) -> None:
    job = named(polaris, "Job", "floe-catalog-realm-1")
    spec = job["spec"]["template"]["spec"]
    login, look = spec["initContainers"]
    (realm,) = spec["containers"]

    assert login["name"] == "postgres-login"
    assert look["command"][2:4] == ["floe_platform.polaris_realm", "whole-or-absent"]
    assert "--result=/tmp/realm" in look["command"]
    assert realm["image"] == "apache/polaris-admin-tool:1.2.0-incubating"
    assert "secret" not in " ".join(realm["command"]).lower()
    tries = job["spec"]["backoffLimit"] + 1
    assert tries == 3
    assert job["spec"]["activeDeadlineSeconds"] > tries * int(environment(realm)["TOOL_SECONDS"])
    # A hook before the install would have no Postgres, one after it would come too late.
    assert "annotations" not in job["metadata"]
    assert spec["automountServiceAccountToken"] is False


def test_polaris_is_probed_on_its_management_port(polaris: list[Manifest]) -> None:
    server = container(polaris, "Deployment", "catalog")
    ports = {each["name"]: each["containerPort"] for each in server["ports"]}

    assert ports == {"http": 8181, "management": 8182}
    assert server["readinessProbe"]["httpGet"] == {"path": "/q/health/ready", "port": "management"}


def test_a_token_service_is_refused_where_there_is_none(render: Render) -> None:
    with pytest.raises(Exception, match=r"storage\.sts is true, and objectStorage\.deploy is true"):
        render("floe-platform", "--set", "catalog.polaris.storage.sts=true")


# Network


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def pod_labels(manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    found = {"test-runner": {"floe-tests/role": "test-runner"}}
    for manifest in manifests:
        pod = manifest["spec"]["template"] if "template" in manifest.get("spec", {}) else manifest
        if manifest["kind"] == "Pod" or pod is not manifest:
            labels = pod["metadata"]["labels"]
            found[labels["app.kubernetes.io/component"]] = labels
    return found


def allowed(manifests: list[Manifest]) -> set[tuple[str, str, int]]:
    """Who reaches whom: both sides' policies must open it, as Kubernetes has it."""
    pods = pod_labels(manifests)
    policies = [each["spec"] for each in of_kind(manifests, "NetworkPolicy")]

    def opened(one: str, other: str, direction: str, peers: str) -> set[int]:
        return {
            port["port"]
            for policy in policies
            if matches(policy["podSelector"], pods[one])
            for rule in policy.get(direction, [])
            if any(
                "namespaceSelector" not in peer and matches(peer["podSelector"], pods[other])
                for peer in rule.get(peers, [])
            )
            for port in rule["ports"]
        }

    return {
        (source, target, port)
        for source in pods
        for target in pods
        for port in opened(source, target, "egress", "to")
        & opened(target, source, "ingress", "from")
    }


DAGSTER = {
    ("webserver", "code", 4000),
    ("daemon", "code", 4000),
    ("test-runner", "webserver", 3000),
    ("helm-test", "webserver", 3000),
}
CATALOG_AND_CUBE = {
    ("code", "catalog", 8181),
    *((tester, "catalog", 8181) for tester in ("test-runner", "helm-test")),
    *((tester, "cube", 4000) for tester in ("test-runner", "helm-test")),
}
STORES = {
    *((role, "postgres", 5432) for role in ("webserver", "daemon", "code", "catalog", "cube")),
    *((role, "object-storage", 7070) for role in ("code", "catalog", "test-runner", "helm-test")),
}


def test_everybody_reaches_whom_they_need_and_nobody_else(
    render: Render, polaris: list[Manifest], iceberg_rest: list[Manifest]
) -> None:
    assert allowed(render("floe-platform", *MINIMAL)) == DAGSTER
    assert allowed(iceberg_rest) == DAGSTER | CATALOG_AND_CUBE | STORES
    assert allowed(polaris) == {
        *(DAGSTER | CATALOG_AND_CUBE | STORES),
        ("catalog-setup", "catalog", 8181),
        ("catalog-realm", "postgres", 5432),
    }


def test_in_production_stores_outside_are_opened_by_address(production: list[Manifest]) -> None:
    testers = {("test-runner", target, port) for _, target, port in DAGSTER | CATALOG_AND_CUBE}
    assert allowed(production) == {
        *(DAGSTER | CATALOG_AND_CUBE) - testers,
        ("catalog-setup", "catalog", 8181),
    }
    postgres = named(production, "NetworkPolicy", "floe-platform-postgres")["spec"]["egress"]
    assert postgres == [
        {
            "ports": [{"protocol": "TCP", "port": 5432}],
            "to": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "databases"}}}
            ],
        }
    ]
    storage = named(production, "NetworkPolicy", "floe-platform-object-storage")["spec"]["egress"]
    assert storage == [{"ports": [{"protocol": "TCP", "port": 443}]}]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://minio.example.com:9000", 9000),
        ("https://s3.example.com", 443),
        ("http://s3.example.com", 80),
        ("", 443),
    ],
)
def test_the_storages_port_is_read_from_its_address(
    endpoint: str, port: int, render: Render
) -> None:
    rendered = render("floe-platform", *PRODUCTION, "--set", f"objectStorage.endpoint={endpoint}")

    policy = named(rendered, "NetworkPolicy", "floe-platform-object-storage")["spec"]
    assert policy["egress"] == [{"ports": [{"protocol": "TCP", "port": port}]}]


# Pods


def test_every_server_has_probes_and_time_to_start(manifests: list[Manifest]) -> None:
    for kind in ("Deployment", "StatefulSet"):
        for manifest in of_kind(manifests, kind):
            name = manifest["metadata"]["name"]
            server = manifest["spec"]["template"]["spec"]["containers"][0]
            startup = server["startupProbe"]
            assert startup["failureThreshold"] * startup["periodSeconds"] >= 120, name
            assert "livenessProbe" in server, name
            # The daemon serves nobody: being started is being ready.
            assert "readinessProbe" in server or name == "dagster-daemon", name


def test_every_role_has_a_budget_that_selects_its_pods(manifests: list[Manifest]) -> None:
    budgets = {
        each["metadata"]["name"]: each["spec"]
        for each in of_kind(manifests, "PodDisruptionBudget")
        if each["metadata"]["name"] != "floe-test-runner"  # no role's: it keeps test pods
    }
    roles = [*of_kind(manifests, "Deployment"), *of_kind(manifests, "StatefulSet")]

    assert set(budgets) == {each["metadata"]["name"] for each in roles}
    for each in roles:
        selector = budgets[each["metadata"]["name"]]["selector"]
        assert matches(selector, each["spec"]["template"]["metadata"]["labels"])


def test_services_select_the_pods_that_they_are_called_after(manifests: list[Manifest]) -> None:
    components = {"polaris": "catalog", "dagster-webserver": "webserver", "dagster-code": "code"}
    for service in of_kind(manifests, "Service"):
        name = service["metadata"]["name"]
        component = components.get(name, name)
        labels = pod_labels(manifests)[component]
        assert matches({"matchLabels": service["spec"]["selector"]}, labels), name


def test_a_stores_pod_is_gone_before_the_next_one_writes(polaris: list[Manifest]) -> None:
    """Two servers on one volume destroy it, and a Deployment starts the second one at once."""
    for name in ("postgres", "object-storage"):
        spec = named(polaris, "StatefulSet", name)["spec"]
        assert spec["replicas"] == 1
        claims = [
            volume["persistentVolumeClaim"]["claimName"]
            for volume in spec["template"]["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        ]
        assert claims == [f"floe-platform-{name}"]
        assert "volumeClaimTemplates" not in spec, "its size could never be changed"


@pytest.mark.parametrize("role", ["postgres", "objectStorage", "catalog", "cube"])
def test_roles_go_to_the_nodes_that_the_values_name(role: str, render: Render) -> None:
    rendered = render(
        "floe-platform",
        *("--set", f"{role}.nodeSelector.disk=fast"),
        *("--set", f"{role}.tolerations[0].key=dedicated"),
    )

    chosen = {
        name
        for name, spec in pod_specs(rendered)
        if spec.get("nodeSelector") == {"disk": "fast"}
        and spec.get("tolerations") == [{"key": "dedicated"}]
    }
    expected = {
        "postgres": {"StatefulSet/postgres"},
        "objectStorage": {"StatefulSet/object-storage"},
        "catalog": {
            *("Deployment/catalog", "Job/floe-catalog-realm-1", "Job/floe-catalog-setup"),
        },
        "cube": {"Deployment/cube"},
    }
    assert chosen == expected[role]


def mebibytes(quantity: str) -> int:
    units = {"Mi": 1, "Gi": 1024}
    return int(quantity[:-2]) * units[quantity[-2:]]


def peak_mebibytes(spec: Manifest) -> int:
    """What a quota counts for a pod: its containers, or its largest init container."""
    limits = [mebibytes(each["resources"]["limits"]["memory"]) for each in spec["containers"]]
    inits = [
        mebibytes(each["resources"]["limits"]["memory"]) for each in spec.get("initContainers", [])
    ]
    return max(sum(limits), *inits, 0)


def replicas(manifests: list[Manifest], name: str) -> int:
    kind, _, name = name.partition("/")
    return named(manifests, kind, name)["spec"].get("replicas", 1)


def test_the_quota_lets_the_release_and_a_roll_out_in(manifests: list[Manifest]) -> None:
    """A quota that is full keeps the new pod of an upgrade away, and the upgrade hangs."""
    quota = named(manifests, "ResourceQuota", "floe-platform")["spec"]["hard"]

    steady = sum(
        peak_mebibytes(spec) * replicas(manifests, name) for name, spec in pod_specs(manifests)
    )
    surge = sum(
        peak_mebibytes(spec)
        for name, spec in pod_specs(manifests)
        if name in {"Deployment/dagster-webserver", "Deployment/catalog", "Deployment/cube"}
    )

    assert steady + surge <= mebibytes(quota["limits.memory"])
    assert quota["services.loadbalancers"] == quota["services.nodeports"] == "0"


@pytest.mark.parametrize("form", KINDS)
def test_the_default_form_asks_for_little(form: tuple[str, ...], render: Render) -> None:
    """It is installed on machines with two cores, beside a cluster and its tests."""
    requests = [
        container["resources"]["requests"]
        for name, spec in pod_specs(render("floe-platform", *form))
        if name.startswith(("Deployment", "StatefulSet"))
        for container in spec["containers"]
    ]

    assert sum(int(each["cpu"].removesuffix("m")) for each in requests) <= 500
    assert sum(mebibytes(each["memory"]) for each in requests) <= 2048


def test_quota_and_defaults_can_be_left_out(render: Render) -> None:
    rendered = render(
        "floe-platform",
        *("--set", "resourceQuota.enabled=false", "--set", "limitRange.enabled=false"),
    )

    assert of_kind(rendered, "ResourceQuota") == of_kind(rendered, "LimitRange") == []


def test_test_pods_look_at_volumes_and_stateful_sets_too(iceberg_rest: list[Manifest]) -> None:
    rules = named(iceberg_rest, "Role", "floe-test-runner")["rules"]
    readable = {
        resource
        for rule in rules
        if rule["verbs"] == ["get", "list", "watch"]
        for resource in rule["resources"]
    }

    assert {"statefulsets", "persistentvolumeclaims"} <= readable
    assert "secrets" not in {resource for rule in rules for resource in rule["resources"]}
    assert "configmaps" not in readable


def test_helm_test_asks_every_server(
    polaris: list[Manifest], iceberg_rest: list[Manifest], production: list[Manifest]
) -> None:
    def asked(manifests: list[Manifest]) -> set[str]:
        command = named(manifests, "Pod", "floe-platform-test")["spec"]["containers"][0]["command"]
        return {word for word in command if word.startswith(("--answers", "--polaris"))}

    cube = "--answers=cube=http://cube:4000/readyz"
    storage = "--answers=object-storage=http://object-storage:7070/health"
    assert asked(iceberg_rest) == {
        *(cube, storage),
        "--answers=catalog=http://polaris:8181/v1/config",
    }
    assert asked(polaris) == {cube, storage, "--polaris=http://polaris:8181"}
    assert asked(production) == {cube, "--polaris=http://polaris:8181"}


def test_cubes_models_are_those_of_the_chart(polaris: list[Manifest]) -> None:
    models = named(polaris, "ConfigMap", "floe-cube-model")["data"]

    assert set(models) == {path.name for path in (CHART / "files" / "cube").iterdir()}
    assert "measures" in models["DailyTotals.js"]


# Values that do not fit


OUTSIDE = ("--set", "postgres.deploy=false")
REFUSALS = [
    pytest.param(OUTSIDE, r"postgres\.host is empty.*minimal=true", id="no host"),
    pytest.param(
        (*OUTSIDE, "--set", "postgres.host=db"),
        r"kubectl -n floe-test create secret generic floe-postgres-dagster",
        id="no password of a Postgres outside",
    ),
    pytest.param(
        ("--set", "postgres.host=db"),
        r"postgres\.host is db, and postgres\.deploy is true",
        id="a host that would be ignored",
    ),
    pytest.param(
        ("--set", "objectStorage.deploy=false"),
        r"kubectl -n floe-test create secret generic floe-object-storage .*access-key=",
        id="no key of a storage outside",
    ),
    pytest.param(
        ("--set", "objectStorage.endpoint=http://minio:9000"),
        r"objectStorage\.endpoint is http://minio:9000, and objectStorage\.deploy is true",
        id="an endpoint that would be ignored",
    ),
    pytest.param(
        (*PRODUCTION, "--set", "catalog.polaris.storage.sts=true"),
        r"roleArn is empty",
        id="a token service without a role",
    ),
    pytest.param(
        ("--set", "catalog.kind=nessie"), r"must be one of 'polaris', 'iceberg-rest'", id="kind"
    ),
    pytest.param(("--set", "cube.image.tag=latest"), "/cube/image/tag", id="latest"),
    pytest.param(
        ("--set", "objectStorage.endpoint=minio:9000"), "/objectStorage/endpoint", id="no scheme"
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSALS)
def test_values_that_do_not_fit_are_refused_with_what_to_set(
    arguments: tuple[str, ...], message: str, render: Render
) -> None:
    with pytest.raises(Exception, match=message):
        render("floe-platform", *arguments)


def test_usage_of_resources_is_closed_to_test_pods_unless_it_is_opened(
    iceberg_rest: list[Manifest],
) -> None:
    assert of_kind(iceberg_rest, "ClusterRole") == of_kind(iceberg_rest, "ClusterRoleBinding") == []
    assert "metrics.k8s.io" not in yaml.safe_dump(iceberg_rest)
    assert "10250" not in yaml.safe_dump(of_kind(iceberg_rest, "NetworkPolicy"))


def test_test_pods_that_read_usage_get_the_kubelets_summary_and_no_more(render: Render) -> None:
    """The right to a kubelet's proxy, beside it, would be one to every pod of the node."""
    opened = render(
        "floe-platform",
        *(*ICEBERG_REST, "--set", "tests.resourceUsage.enabled=true"),
        *("--set", "tests.resourceUsage.nodeCidrs={10.1.0.0/16}"),
        namespace="floe-staging",
    )
    (role,) = of_kind(opened, "ClusterRole")
    (binding,) = of_kind(opened, "ClusterRoleBinding")
    policy = named(opened, "NetworkPolicy", "floe-test-runner")["spec"]

    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes/stats"], "verbs": ["get"]}]
    assert role["metadata"]["name"].endswith("-floe-staging"), "two releases have one each"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "floe-test-runner", "namespace": "floe-staging"}
    ]
    assert policy["egress"][-1] == {
        "ports": [{"protocol": "TCP", "port": 10250}],
        "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
    }
    rules = named(opened, "Role", "floe-test-runner")["rules"]
    assert {
        "apiGroups": ["metrics.k8s.io"],
        "resources": ["pods"],
        "verbs": ["get", "list"],
    } in rules
