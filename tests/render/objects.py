"""What the tests of render/ render: one deployment, with the longest names where asked for."""

from typing import Any

from tests.core.layout import LAYOUT
from tests.core.shapes import SMALL_3

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout
from escadre.core.facts.model import Wish
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.inputs import ReplicaInputs, platform_text
from escadre.render.engine import MIDDLEWARE
from escadre.render.labels import Owner
from escadre.render.replica import ANNOTATION_MIDDLEWARE, ReplicaSpec, pod_template
from escadre.render.service import budget, network_policy, service
from escadre.render.volume import claim, volume
from escadre.render.workload import WORKLOAD, Recorded
from escadre.settings import EngineSettings

__all__ = [
    "DIGEST",
    "ENGINE",
    "EVERYTHING_SET",
    "LONGEST",
    "OWNER",
    "REPOSITORY",
    "children",
    "replica_of",
    "with_middleware_in_a_word",
]

Json = dict[str, Any]
DIGEST = "sha256:" + "0123456789abcdef" * 4
REPOSITORY = "mistralai/Mistral-Small-3.2-24B-Instruct-2506"
UID = "6f1c2d3e-0000-4000-8000-000000000001"
OWNER = Owner("ia-pour-tous", "assistant", UID)
LONGEST = Owner("n" * 63, "a" + "-b" * 19 + "c", UID)
IMAGE = "registry.example/vllm/vllm-openai@sha256:" + "e" * 64
ENGINE = EngineSettings(image=IMAGE)
EVERYTHING_SET = EngineSettings(
    image=IMAGE,
    image_pull_secrets=["registry"],
    runtime_class_name="nvidia",
    node_selector={"pool": "gpu"},
    tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    extra_args=["--enable-prefix-caching"],
    env={"NCCL_DEBUG": "WARN", "HF_HUB_OFFLINE": "0"},
    drain_seconds=60,
)


def replica_of(
    owner: Owner = OWNER,
    slot: int = 0,
    *,
    engine: EngineSettings = ENGINE,
    model: Architecture = SMALL_3,
    node: str | None = "gpu-0",
    drain: Drain | None = None,
    layout: Layout = LAYOUT,
) -> Json:
    """The workload object of a replica."""
    wish = Wish(context_length=32768, concurrency=32)
    inputs = ReplicaInputs.of(wish, platform_text(engine), DIGEST, REPOSITORY, layout)
    spec = ReplicaSpec(slot, inputs, layout, model, node)
    template = pod_template(owner, spec, engine)
    return WORKLOAD.render(owner, Recorded(slot, inputs, template, node, drain))


def children(owner: Owner = OWNER, slot: int = 0) -> dict[str, Json]:
    """Every child of a deployment, by kind."""
    found = (
        service(owner),
        network_policy(owner, "escadre-system", ["ingress-nginx", "gateway"]),
        budget(owner),
        volume(owner, DIGEST, None),
        claim(owner, DIGEST),
        replica_of(owner, slot),
    )
    return {one["kind"]: one for one in found}


def with_middleware_in_a_word(template: dict[str, Any]) -> dict[str, Any]:
    """A pod's template without the source that it mounts."""
    meta = template["metadata"]
    assert meta["annotations"][ANNOTATION_MIDDLEWARE] == MIDDLEWARE
    notes = {**meta["annotations"], ANNOTATION_MIDDLEWARE: "(the text of escadre_drain.py)"}
    return {**template, "metadata": {**meta, "annotations": notes}}
