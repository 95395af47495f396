"""The deployment files: valid against the published schemas, consistent, edited in one place."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from tensorflow_serving.config import model_server_config_pb2

import zoo
from serving.codec import protos
from serving.config import files as config
from serving.options import parse

SERVING = Path(config.__file__).parents[1]
DEPLOY = SERVING / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
PLACEHOLDER = "from-settings"
MANIFESTS = sorted(
    path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml"
)  # fmt: skip


def load(path):
    return yaml.safe_load(path.read_text())


def settings():
    lines = (DEPLOY / "settings" / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def at(document, field_path):
    """The parent and key of a kustomize field path such as `spec.containers.[name=a].image`."""
    *parents, last = field_path.split(".")
    for part in parents:
        if part.startswith("["):
            key, value = part.strip("[]").split("=")
            document = next(item for item in document if item[key] == value)
        else:
            document = document[part]
    return document, last


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["1.29", "1.33"])
def test_manifests_follow_the_kubernetes_schema(path, version):
    kubernetes_validate.validate(load(path), version, strict=True)


def test_the_schema_check_notices_a_mistake():
    document = load(KUBERNETES / "deployment.yaml")
    document["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.29", strict=True)


@pytest.mark.parametrize("folder", ["kubernetes", "kserve"])
def test_settings_reach_every_placeholder(folder):
    root = DEPLOY / folder
    kustomization = load(root / "kustomization.yaml")
    documents = {}
    for resource in kustomization["resources"]:
        assert (root / resource).exists()
        if resource.endswith(".yaml"):
            document = load(root / resource)
            documents[document["kind"], document["metadata"]["name"]] = document
    for replacement in kustomization["replacements"]:
        key = replacement["source"]["fieldPath"].removeprefix("data.")
        for target in replacement["targets"]:
            document = documents[target["select"]["kind"], target["select"]["name"]]
            for field_path in target["fieldPaths"]:
                parent, last = at(document, field_path)
                assert last in parent
                parent[last] = settings()[key]
    assert PLACEHOLDER not in yaml.safe_dump_all(documents.values())


def arguments(document):
    container = document["spec"]["template"]["spec"]["containers"][0]
    return container["args"]


@pytest.mark.parametrize(
    "argv",
    [
        arguments(load(KUBERNETES / "deployment.yaml")),
        load(DEPLOY / "compose" / "docker-compose.yaml")["services"]["serving"]["command"],
    ],
    ids=["kubernetes", "compose"],
)
def test_both_servers_take_the_same_flags_and_files(argv):
    parsed = parse(argv)
    assert not parsed.without_effect()
    for name in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        assert (SERVING / "config" / Path(getattr(parsed, name)).name).is_file()


def test_the_shipped_configuration_files_are_readable():
    folder = SERVING / "config"
    models = config.read_text_proto(
        str(folder / "models.config"), model_server_config_pb2.ModelServerConfig()
    )
    config.check_models(models.model_config_list, None)
    for model in models.model_config_list.config:
        assert model.base_path == f"/models/{model.name}"
    batching = config.read_text_proto(str(folder / "batching.config"), protos.BatchingParameters())
    assert config.with_batching_defaults(batching).max_batch_size.value == 32
    monitoring = config.read_text_proto(
        str(folder / "monitoring.config"), protos.MonitoringConfig()
    )
    assert monitoring.prometheus_config.enable


def test_probes_ask_for_a_configured_model():
    container = load(KUBERNETES / "deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    names = (SERVING / "config" / "models.config").read_text()
    for probe in ("startupProbe", "readinessProbe"):
        model = container[probe]["httpGet"]["path"].removeprefix("/v1/models/")
        assert f'name: "{model}"' in names


def test_compose_uses_the_settings_and_binds_loopback_only():
    service = load(DEPLOY / "compose" / "docker-compose.yaml")["services"]["serving"]
    text = yaml.safe_dump(service)
    assert all(f"${{{name}:?" in text for name in ("IMAGE", "MODELS_DIR"))
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert set(service) <= {"image", "entrypoint", "command", "ports", "volumes", "restart"}


def test_the_inference_service_has_the_published_form():
    document = load(DEPLOY / "kserve" / "inferenceservice.yaml")
    assert (document["apiVersion"], document["kind"]) == (
        "serving.kserve.io/v1beta1",
        "InferenceService",
    )
    model = document["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert {"storageUri", "image", "protocolVersion", "resources"} <= set(model)


def test_the_stock_config_lists_every_shipped_preset():
    path = SERVING / "config" / "models.config"
    stock = config.read_text_proto(str(path), model_server_config_pb2.ModelServerConfig())
    assert [model.name for model in stock.model_config_list.config] == list(zoo.list_presets())
