"""deploy/kubernetes against Kubernetes' schema, and against the code that it starts."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from consumers.runtime.process import AGAIN, GRACE
from stream.settings import Settings
from stream.wire.groups import GROUPS
from stream.wire.topics import TOPICS
from tests.refrain_command import application

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
BASE, DELIVER, SCALE = FOLDER / "base", FOLDER / "deliver", FOLDER / "scale-on-lag"
EXAMPLE = FOLDER / "example"

Manifest = dict[str, Any]


def read(file: Path) -> list[Manifest]:
    documents = YAML(typ="safe").load_all(file)
    return [each for document in documents for each in document.get("items", [document])]


def literals(kustomization: Path) -> dict[str, str]:
    [generator] = read(kustomization)[0]["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generator["literals"])


def resources(folder: Path) -> list[Manifest]:
    """What a folder brings, with the labels that its own kustomization gives to it and to nothing else."""
    [kustomization] = read(folder / "kustomization.yaml")
    found = [each for name in kustomization["resources"] for each in read(folder / name)]
    for pairs in [each["pairs"] for each in kustomization.get("labels", ())]:
        for each in found:
            each["metadata"].setdefault("labels", {}).update(pairs)
            if each["kind"] == "Deployment":
                each["spec"]["selector"]["matchLabels"].update(pairs)
                each["spec"]["template"]["metadata"]["labels"].update(pairs)
    return found


MANIFESTS = [each for folder in (BASE, DELIVER) for each in resources(folder)]
DEPLOYMENTS = {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == "Deployment"}
BUDGETS = [each for each in MANIFESTS if each["kind"] == "PodDisruptionBudget"]
SCALED = {each["metadata"]["name"]: each for each in read(SCALE / "scaled-objects.yaml")}
SETTINGS = literals(BASE / "kustomization.yaml")

of_each = pytest.mark.parametrize("name", DEPLOYMENTS)
scaled = pytest.mark.parametrize("name", SCALED)


def pod(name: str) -> Manifest:
    return DEPLOYMENTS[name]["spec"]["template"]["spec"]


def container(name: str) -> Manifest:
    [only] = pod(name)["containers"]
    return only


def ports(name: str) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container(name)["ports"]}


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}".lower()
)
def test_a_manifest_is_as_kubernetes_says(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_manifest_that_is_not_is_refused() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError, match="portz"):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("folder", [BASE, DELIVER, SCALE])
def test_every_file_is_among_the_resources(folder: Path) -> None:
    found = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(read(folder / "kustomization.yaml")[0]["resources"]) == found


def test_every_process_of_refrain_is_there() -> None:
    assert {container(name)["args"][0] for name in DEPLOYMENTS} == {
        *("ingest", "train", "work", "traits", "serve", "deliver")
    }


@of_each
def test_its_arguments_are_a_command_with_its_options(name: str) -> None:
    command, *options = container(name)["args"]
    answer = CliRunner().invoke(application(), [command, "--help"])
    assert answer.exit_code == 0
    assert all(option in answer.output for option in options if option.startswith("--"))


def check_allowed(said: dict[str, str], folder: Path) -> None:
    """Take settings as a process would that has all secrets; they are put into a folder."""
    in_files = {
        "REFRAIN_REDIS_FILE": "redis://redis:6379/0",
        "REFRAIN_DELIVER_URL_FILE": "https://notifier.example/refrain",
        "REFRAIN_DELIVER_SECRET_FILE": f"whsec_{base64.b64encode(bytes(32)).decode()}",
    }
    assert all(name.startswith("REFRAIN_") for name in said)
    said = dict(said)
    for name in in_files.keys() & said.keys():
        assert Path(said[name]).parent in (Path("/run/secrets/refrain"), Path("/run/secrets/refrain-deliver"))
        file = folder / Path(said[name]).name
        file.write_text(in_files[name])
        said[name] = str(file)
    Settings(**{name.removeprefix("REFRAIN_").lower(): value for name, value in said.items()})


@pytest.mark.parametrize("kustomization", [BASE, EXAMPLE])
def test_its_settings_exist_and_are_allowed(kustomization: Path, tmp_path: Path) -> None:
    check_allowed(literals(kustomization / "kustomization.yaml"), tmp_path)


@of_each
def test_what_a_process_is_told_is_allowed(name: str, tmp_path: Path) -> None:
    check_allowed(settings_of(name) | literals(EXAMPLE / "kustomization.yaml"), tmp_path)


def secrets(name: str) -> dict[Path, str]:
    """Folder -> the Secret that a process has there."""
    mounts = {each["name"]: each for each in container(name)["volumeMounts"]}
    volumes = {
        each["name"]: each["secret"]["secretName"] for each in pod(name)["volumes"] if "secret" in each
    }
    assert all(mounts[volume]["readOnly"] for volume in volumes)
    return {Path(mounts[volume]["mountPath"]): secret for volume, secret in volumes.items()}


def settings_of(name: str) -> dict[str, str]:
    """What a process is told: by the ConfigMap of all, and alone."""
    told = {each["name"]: each["value"] for each in container(name).get("env", ())}
    assert container(name)["envFrom"][0] == {"configMapRef": {"name": "refrain"}}
    return SETTINGS | told


@of_each
def test_it_has_the_secrets_where_its_settings_look_for_them(name: str) -> None:
    assert secrets(name)[Path(SETTINGS["REFRAIN_REDIS_FILE"]).parent] == "refrain"
    asked = {Path(value).parent for key, value in settings_of(name).items() if key.endswith("_FILE")}
    assert asked == secrets(name).keys()


@of_each
def test_only_deliver_has_what_posts_are_signed_with(name: str) -> None:
    delivers = name == "refrain-deliver"
    assert ("refrain-deliver" in secrets(name).values()) == delivers
    assert ("REFRAIN_DELIVER_SECRET_FILE" in settings_of(name)) == delivers
    # What all have holds no key of the endpoint, nor could a process without its URL use one.
    assert not any(key.startswith("REFRAIN_DELIVER") for key in SETTINGS)


@of_each
def test_it_runs_as_the_images_user_without_a_right(name: str) -> None:
    whole, only = pod(name), container(name)["securityContext"]
    [user] = re.findall(r"useradd .*--uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert whole["securityContext"]["runAsNonRoot"]
    assert whole["securityContext"]["runAsUser"] == int(user)
    assert whole["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert not whole["automountServiceAccountToken"]
    assert only["readOnlyRootFilesystem"]
    assert not only["allowPrivilegeEscalation"]
    assert only["capabilities"]["drop"] == ["ALL"]


@of_each
def test_its_memory_is_limited_and_its_processor_asked_for_alone(name: str) -> None:
    resources = container(name)["resources"]
    assert set(resources["limits"]) == {"memory"}  # a limit of the processor makes it stand still in between
    assert set(resources["requests"]) == {"cpu", "memory"}


def megabytes(quantity: str) -> float:
    """Read a quantity of memory of Kubernetes."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * {"Mi": 2**20, "Gi": 2**30}[unit] / 1e6


OF_CODE_MB = 300.0  # and of what is in hand: docs/kubernetes.md
HOLDS_MB = {"refrain-ingest": "resident_mb", "refrain-work": "members_mb", "refrain-serve": "members_mb"}
"""Process -> the setting by which it holds memory."""
OF_ARTIST_KB = {"refrain-ingest": 6.0, "refrain-work": 3.0, "refrain-serve": 3.0}
"""Process -> what each artist of the model takes: docs/kubernetes.md."""


@pytest.mark.parametrize("name", HOLDS_MB)
def test_its_memory_suffices_for_what_it_may_hold(name: str) -> None:
    holds = getattr(Settings(), HOLDS_MB[name]) + OF_CODE_MB
    resources = container(name)["resources"]
    model = OF_ARTIST_KB[name] * Settings().vocabulary / 1e3
    assert megabytes(resources["limits"]["memory"]) > holds + model
    if name != "refrain-serve":  # which holds tastes only while a release desk is open
        assert megabytes(resources["requests"]["memory"]) > holds


@of_each
def test_its_probes_ask_where_it_answers(name: str) -> None:
    only = container(name)
    for kind, path in {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}.items():
        asked = only[f"{kind}Probe"]["httpGet"]
        assert asked["path"] == path
        assert asked["port"] in ports(name)
    assert ports(name)["metrics"] == int(SETTINGS["REFRAIN_METRICS_PORT"])


@of_each
def test_it_may_wait_for_redis_to_read_a_large_file_before_it_is_killed(name: str) -> None:
    probe = container(name)["startupProbe"]
    seconds = probe["periodSeconds"] * probe["failureThreshold"]
    assert seconds >= 100_000 / 90 + 50_000 / 17  # 100 GB, and half as much appended, in MB/s: docs/redis.md
    assert seconds > Settings().connect_timeout


def test_the_page_that_says_how_to_upgrade_holds_the_trainer_back_and_names_deployments() -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    paused = text.index("rollout pause deploy/refrain-train")
    assert paused < text.index("rollout resume deploy/refrain-train")
    assert set(re.findall(r"deploy/(refrain-[a-z]+)", text)) <= DEPLOYMENTS.keys()


def test_the_page_is_at_its_port() -> None:
    [service] = [each for each in MANIFESTS if each["kind"] == "Service"]
    [port] = service["spec"]["ports"]
    assert ports("refrain-serve")[port["targetPort"]] == Settings.model_fields["web_port"].default


def test_what_a_service_leads_to_goes_on_answering_until_none_leads_there() -> None:
    for service in (each for each in MANIFESTS if each["kind"] == "Service"):
        wanted = service["spec"]["selector"].items()
        found = [
            name
            for name, each in DEPLOYMENTS.items()
            if wanted <= each["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert found
        for name in found:
            assert container(name)["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5


@of_each
def test_it_has_the_time_it_needs_to_end(name: str) -> None:
    before = container(name).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod(name)["terminationGracePeriodSeconds"] - before > GRACE + AGAIN


@of_each
def test_its_selector_finds_its_pods(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(
    "policy",
    [each for each in MANIFESTS if each["kind"] == "NetworkPolicy"],
    ids=lambda each: each["metadata"]["name"],
)
def test_a_network_policy_is_of_our_pods_and_of_no_other(policy: Manifest) -> None:
    wanted = policy["spec"]["podSelector"]["matchLabels"].items()
    assert wanted  # without any, it is of all pods of the namespace
    assert any(
        wanted <= each["spec"]["template"]["metadata"]["labels"].items() for each in DEPLOYMENTS.values()
    )


@of_each
def test_the_policy_of_all_pods_is_of_its_pods_too(name: str) -> None:
    [policy] = [
        each
        for each in MANIFESTS
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "refrain"
    ]
    wanted = policy["spec"]["podSelector"]["matchLabels"].items()
    assert wanted <= DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"].items()


def test_each_process_that_runs_twice_has_a_disruption_budget_and_no_other() -> None:
    budgets = {budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] for budget in BUDGETS}
    twice = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in DEPLOYMENTS.values()
        if each["spec"]["replicas"] > 1
    }
    assert budgets == twice


@scaled
def test_what_is_scaled_is_a_process(name: str) -> None:
    assert SCALED[name]["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS


@scaled
def test_lag_is_that_of_topics_and_the_group_of_this_process(name: str) -> None:
    settings = Settings()
    process = container(SCALED[name]["spec"]["scaleTargetRef"]["name"])["args"][0]
    group = GROUPS[process]
    for trigger in SCALED[name]["spec"]["triggers"]:
        asked = trigger["metadata"]
        assert asked["consumerGroup"] == f"{settings.group}-{process}" == group.full_name(settings)
        assert asked["topic"] in {topic.name for topic in TOPICS}
        assert asked["topic"] in group.topics
        assert asked["bootstrapServersFromEnv"] in SETTINGS
    assert SCALED[name]["spec"]["maxReplicaCount"] <= settings.partitions


def test_workers_are_started_for_releases_and_for_feedback() -> None:
    triggers = SCALED["refrain-work"]["spec"]["triggers"]
    assert {trigger["metadata"]["topic"] for trigger in triggers} == {"releases", "feedback"}


@scaled
def test_it_says_nothing_that_has_no_effect(name: str) -> None:
    spec = SCALED[name]["spec"]
    assert spec["minReplicaCount"] >= 1
    assert "cooldownPeriod" not in spec  # KEDA waits so long before it takes the last one away


def built(folder: Path) -> list[Manifest]:
    """What kustomize makes of a folder."""
    if program := shutil.which("kustomize"):
        command = [program, "build"]
    elif program := shutil.which("kubectl"):
        command = [program, "kustomize"]
    else:
        pytest.skip("neither `kustomize` nor `kubectl` here: each file is looked at alone")
    answer = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return list(YAML(typ="safe").load_all(answer.stdout))


def test_the_example_is_built_by_kustomize() -> None:
    manifests = built(EXAMPLE)
    assert {each["metadata"]["namespace"] for each in manifests} == {"refrain"}
    for manifest in manifests:
        if manifest["kind"] != "ScaledObject":
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        else:
            assert manifest["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
    scaled_ones = [each for each in manifests if each["metadata"]["name"] in SCALED and "spec" in each]
    assert all("replicas" not in each["spec"] for each in scaled_ones if each["kind"] == "Deployment")


def built_with(folder: Path, change: Callable[[Manifest], None], **more: str) -> list[Manifest]:
    """What kustomize makes of a copy of the example with its kustomization changed, and more resources."""
    shutil.copytree(FOLDER, folder)
    file = folder / "example" / "kustomization.yaml"
    [kustomization] = read(file)
    change(kustomization)
    for name, text in more.items():
        kustomization["resources"].append(f"{name}.yaml")
        (folder / "example" / f"{name}.yaml").write_text(text)
    YAML().dump(kustomization, file)
    return built(folder / "example")


def of_the_page(begin: str) -> str:
    """The example of docs/kubernetes.md that begins so."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "kubernetes.md").read_text(), re.DOTALL)
    [found] = [block for block in blocks if block.startswith(begin)]
    return str(found)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The example, with what the page says for a rebuild: nothing runs but a pod for commands."""
    replicas = YAML(typ="safe").load(of_the_page("replicas:"))
    return built_with(
        tmp_path_factory.mktemp("stopped") / "kubernetes",
        lambda kustomization: kustomization.update(replicas),
        commands=of_the_page("apiVersion: apps/v1"),
    )


def test_no_process_starts_with_the_settings_of_a_rebuild(stopped: list[Manifest]) -> None:
    [labels] = [each["pairs"] for each in read(BASE / "kustomization.yaml")[0]["labels"]]
    ours = [
        each
        for each in stopped
        if each["kind"] == "Deployment" and labels.items() <= each["metadata"].get("labels", {}).items()
    ]
    assert {each["metadata"]["name"] for each in ours} == DEPLOYMENTS.keys() - {"refrain-deliver"}
    assert {each["spec"]["replicas"] for each in ours} == {0}


def test_the_pod_for_commands_has_the_image_and_the_settings_of_the_processes(
    stopped: list[Manifest],
) -> None:
    of_commands, of_ingest = (
        next(each for each in stopped if each["kind"] == "Deployment" and each["metadata"]["name"] == name)
        for name in ("commands", "refrain-ingest")
    )
    kubernetes_validate.validate(of_commands, kubernetes_validate.latest_version(), strict=True)
    pods = [each["spec"]["template"]["spec"] for each in (of_commands, of_ingest)]
    [[commands], [ingest]] = [each["containers"] for each in pods]
    assert commands["image"] == ingest["image"]
    assert commands["envFrom"] == ingest["envFrom"]
    assert [each["enableServiceLinks"] for each in pods] == [False, False]
    # A namespace that allows the processes allows this pod.
    assert commands["securityContext"] | {"readOnlyRootFilesystem": True} == ingest["securityContext"]
    assert pods[0]["securityContext"]["seccompProfile"] == pods[1]["securityContext"]["seccompProfile"]
    mounts = {each["mountPath"] for each in commands["volumeMounts"]}
    assert {each["mountPath"] for each in ingest["volumeMounts"] if "secret" in each["mountPath"]} <= mounts


REDIS = """
apiVersion: v1
kind: Pod
metadata: {name: redis, labels: {app: redis}}
spec: {containers: [{name: redis, image: redis}]}
"""


@pytest.fixture(scope="module")
def with_deliver(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The example with deliveries, and with a Redis beside it that is none of ours."""

    def deliver(kustomization: Manifest) -> None:
        kustomization["components"].append("../deliver")
        kustomization["configMapGenerator"].append(
            {"name": "refrain-deliver", "literals": ["REFRAIN_DELIVER_COHORT_CHANGES=true"]}
        )

    return built_with(tmp_path_factory.mktemp("with-deliver") / "kubernetes", deliver, redis=REDIS)


def test_deliver_is_built_by_kustomize_and_has_the_labels_of_all(with_deliver: list[Manifest]) -> None:
    [labels] = [each["pairs"] for each in read(BASE / "kustomization.yaml")[0]["labels"]]
    deployments = [each for each in with_deliver if each["kind"] == "Deployment"]
    assert {each["metadata"]["name"] for each in deployments} == DEPLOYMENTS.keys()
    for each in deployments:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
        assert labels.items() <= each["metadata"]["labels"].items()
        assert labels.items() <= each["spec"]["selector"]["matchLabels"].items()
        assert labels.items() <= each["spec"]["template"]["metadata"]["labels"].items()
    policies = [each for each in with_deliver if each["kind"] == "NetworkPolicy"]
    assert all(labels.items() <= each["spec"]["podSelector"]["matchLabels"].items() for each in policies)


def test_what_else_an_overlay_has_gets_none_of_our_labels(with_deliver: list[Manifest]) -> None:
    [redis] = [each for each in with_deliver if each["metadata"]["name"] == "redis"]
    assert redis["metadata"]["labels"] == {"app": "redis"}


def test_an_overlay_tells_deliver_alone_of_deliveries(with_deliver: list[Manifest]) -> None:
    [told] = [
        each["metadata"]["name"]
        for each in with_deliver
        if each["kind"] == "ConfigMap" and "REFRAIN_DELIVER_COHORT_CHANGES" in each["data"]
    ]
    for each in with_deliver:
        if each["kind"] == "Deployment":
            [only] = each["spec"]["template"]["spec"]["containers"]
            asked = {source["configMapRef"]["name"] for source in only["envFrom"]}
            assert (told in asked) == (each["metadata"]["name"] == "refrain-deliver")
