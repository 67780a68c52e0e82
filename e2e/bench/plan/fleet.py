"""A fleet to plan: many models, all sorts of nodes, most GPUs taken, with holes of every size.

Made from a seed and the same in every build that runs it (e2e/bench/plan/words.py); what only this
build can do with it stands in e2e/bench/plan/rows.py.
"""

import hashlib
from random import Random
from typing import Any, Final, NamedTuple

from e2e.bench.plan.words import word
from escadre.api.approval import Architecture, Experts, LatentAttention
from escadre.api.gpunode import MirrorSource, WantedWeights

__all__ = ["MODELS", "PRODUCTS", "digest_of", "snapshot"]

MODELS: Final = 200
_SEED: Final = 20261128
_FULL: Final = 0.7  # of the GPUs are taken before anything is planned
_CLOSED: Final = 0.02  # of the nodes are cordoned
_MIRROR: Final = MirrorSource(
    name="internal", type="http", url="http://weights.example", max_concurrent_pulls=64
)


class Product(NamedTuple):
    """A GPU product, and how many of them a node has."""

    name: str
    mebibytes: int
    capability: tuple[int, int]
    node_gpus: tuple[int, ...]


PRODUCTS: Final = (
    Product("Tesla-T4", 15360, (7, 5), (1, 4)),
    Product("NVIDIA-L4", 23034, (8, 9), (1, 2, 4)),
    Product("NVIDIA-L40S", 46068, (8, 9), (4, 8)),
    Product("NVIDIA-A100-SXM4-80GB", 81920, (8, 0), (4, 8)),
    Product("NVIDIA-H100-80GB-HBM3", 81559, (9, 0), (8,)),
    Product("NVIDIA-H200", 143771, (9, 0), (8,)),
    Product("NVIDIA-B200", 183359, (10, 0), (8,)),
)

_SMALL: Final = Architecture(
    format="mistral",
    tokenizer="mistral",
    dtype="bfloat16",
    weight_bytes=14_496_047_104,
    hidden_size=4096,
    intermediate_size=14336,
    layers=32,
    attention_heads=32,
    key_value_heads=8,
    head_dimension=128,
    vocabulary_size=32768,
    max_context_length=131072,
)
_MEDIUM: Final = _SMALL.model_copy(
    update={"weight_bytes": 48_022_792_280, "hidden_size": 5120, "layers": 40}
)
_LARGE: Final = _SMALL.model_copy(
    update={
        "dtype": "float8",
        "weight_bytes": 133_600_000_000,
        "hidden_size": 12288,
        "intermediate_size": 28672,
        "layers": 88,
        "attention_heads": 96,
    }
)
_SPARSE: Final = _MEDIUM.model_copy(
    update={
        "dtype": "float8",
        "weight_bytes": 120_900_000_000,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "layers": 36,
        "key_value_heads": 32,
        "latent_attention": LatentAttention(kv_lora_rank=256, rope_head_dimension=64),
        "experts": Experts(routed=128, per_token=4, shared=1, intermediate_size=2048),
    }
)
_ARCHITECTURES: Final = (_SMALL, _SMALL, _MEDIUM, _MEDIUM, _LARGE, _SPARSE)


def digest_of(number: int) -> str:
    """The identity of a model's weights."""
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


def snapshot(deployments: int, nodes: int) -> Any:
    """What a planning pass sees before anything was planned; sizes are numbers of objects."""
    random = Random(_SEED)  # noqa: S311 - a fleet, the same in every run
    models = [_model(number) for number in range(MODELS)]
    wanted = [_wanted(model) for model in models]
    return word("FleetSnapshot")(
        deployments=tuple(_deployment(random, number, models) for number in range(deployments)),
        nodes=tuple(_node(random, number, wanted) for number in range(nodes)),
        mirrors={_MIRROR.name: _MIRROR},
        gpu_memory_utilization_percent=92,
    )


def _model(number: int) -> Any:
    """No two are alike: each is a little larger than the one before."""
    like = _ARCHITECTURES[number % len(_ARCHITECTURES)]
    architecture = like.model_copy(update={"weight_bytes": like.weight_bytes + number * 50_000_000})
    return word("ApprovedModel")(
        approval=f"model-{number:03}",
        approval_uid=f"uid-model-{number:03}",
        repository=f"mistralai/model-{number:03}",
        revision="a" * 40,
        manifest_digest=digest_of(number),
        file_bytes=architecture.weight_bytes + 1000,
        architecture=architecture,
        mirrors=(_MIRROR.name,),
    )


def _wanted(model: Any) -> WantedWeights:
    # 0.1.0 has all of the mirror in each entry, later builds its name and generation.
    named = {"name": _MIRROR.name, "generation": 0}
    where: dict[str, Any] = (
        {"mirror": named} if "mirror" in WantedWeights.model_fields else {"source": _MIRROR}
    )
    return WantedWeights(
        manifest_digest=model.manifest_digest,
        approval=model.approval,
        repository=model.repository,
        revision=model.revision,
        bytes=model.file_bytes,
        **where,
    )


def _deployment(random: Random, number: int, models: list[Any]) -> Any:
    context = random.choice((8192, 32768, 32768, 131072))
    minimum = random.choice((1, 1, 1, 2))
    return word("DeploymentFacts")(
        key=word("DeploymentKey")(f"team-{number % 50:02}", f"chat-{number:05}"),
        uid=f"uid-chat-{number:05}",
        created=float(random.randrange(10**6)),
        wish=word("Wish")(context, random.choice((None, 4, 16, 32))),
        model=random.choice(models),
        min_replicas=minimum,
        desired=minimum + random.choice((0, 0, 1, 2)),
    )


def _node(random: Random, number: int, wanted: list[WantedWeights]) -> Any:
    product = random.choice(PRODUCTS)
    gpus = random.choice(product.node_gpus)
    held = random.sample(wanted, random.randrange(9))
    return word("NodeFacts")(
        name=f"node-{number:05}",
        uid=f"uid-node-{number:05}",
        product=product.name,
        memory_bytes=product.mebibytes << 20,
        compute_capability=product.capability,
        gpus=gpus,
        gpus_foreign=sum(random.random() < _FULL for _ in range(gpus)),
        blocked="cordoned" if random.random() < _CLOSED else "",
        verified=frozenset(one.manifest_digest for one in held),
        wanted=tuple(sorted(held, key=lambda one: one.manifest_digest)),
    )
