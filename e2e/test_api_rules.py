"""What the API server accepts and refuses, with the words a user reads, on a real API server.

One row per rule of the CRDs. The server says the same to kubectl, Helm and GitOps tools.
"""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.cluster import Cluster, CommandError
from e2e.cluster.nodes import NodeSpec
from escadre.api.mirror import ModelMirrorSpec
from escadre.api.mirrorrules import MIRROR_RULES, broken_rule

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
CRDS = Path(__file__).resolve().parents[1] / "crds"


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    """A cluster with the CRDs and nothing else: no policies, no operator."""
    with Cluster(f"rules-{os.getpid()}", nodes=[NodeSpec("cpu-0", gpus=0)]) as cluster:
        cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=300s")
        yield cluster


def _object(kind: str, name: str, spec: Json) -> Json:
    return {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


DIGEST = "sha256:" + "0" * 64
ARCHITECTURE = {
    "format": "mistral",
    "tokenizer": "mistral",
    "dtype": "bfloat16",
    "weightBytes": 1000,
    "hiddenSize": 64,
    "intermediateSize": 128,
    "layers": 2,
    "attentionHeads": 4,
    "keyValueHeads": 2,
    "headDimension": 16,
    "vocabularySize": 1000,
    "maxContextLength": 4096,
}
APPROVAL = _object(
    "ModelApproval",
    "small",
    {
        "requestedBy": "anne",
        "repository": "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        "revision": "0" * 40,
        "mirrors": ["internal"],
        "files": [{"path": "params.json", "size": 10, "sha256": "0" * 64}],
        "manifestDigest": DIGEST,
        "architecture": ARCHITECTURE,
        "licence": {"spdx": "Apache-2.0", "acceptedBy": "legal"},
        "namespaces": ["chat"],
        "notAfter": "2099-01-01T00:00:00Z",
        "requiredApprovals": 2,
    },
)
DEPLOYMENT = _object("ModelDeployment", "assistant", {"approval": "small", "contextLength": 4096})
DEPLOYMENT["metadata"]["namespace"] = "default"
MIRROR = _object("ModelMirror", "internal", {"type": "http", "url": "https://mirror.example/hf"})
SIGNATURE = _object(
    "ModelSignature",
    "small-anne",
    {"approval": "small", "contentDigest": DIGEST, "decision": "Approve", "by": "anne"},
)
GPU_NODE = _object("GPUNode", "node-1", {})

DAY: Json = {
    "cron": "0 8 * * MON-FRI",
    "timeZone": "Europe/Paris",
    "duration": "10h",
    "minReplicas": 4,
}

BASE: dict[str, Json] = {
    each["kind"]: each for each in (APPROVAL, DEPLOYMENT, MIRROR, SIGNATURE, GPU_NODE)
}


def _with(kind: str, path: str, value: Any) -> Json:
    """The base object of ``kind`` with one field set; ``None`` takes the field away."""
    document = copy.deepcopy(BASE[kind])
    *parents, last = path.split(".")
    target: Json = document
    for part in parents:
        target = target.setdefault(part, {})
    if value is None:
        del target[last]
    else:
        target[last] = value
    return document


ACCEPTED = [
    pytest.param("ModelDeployment", "metadata.name", "a" * 40, id="a name of 40 characters"),
    pytest.param("ModelDeployment", "metadata.name", "a", id="a name of one letter"),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"minReplicas": 1, "maxReplicas": 1000, "targetQueueDepth": 24},
        id="bounds of scaling",
    ),
    pytest.param("ModelDeployment", "spec.typicalTokens", 4096, id="typical equal to context"),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {
            "maxReplicas": 9,
            "spareReplicas": 8,
            "schedules": [
                {**DAY, "cron": f"{minute} 8-18/2 1,15 * MON-FRI"} for minute in range(16)
            ],
        },
        id="sixteen windows",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "timeZone": "America/Argentina/Buenos_Aires"}]},
        id="a time zone of three parts",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.serviceLevel",
        {"timeToFirstTokenSeconds": 2, "interTokenLatencyMilliseconds": 40, "percentile": 99},
        id="a service level",
    ),
    pytest.param("ModelApproval", "metadata.name", "a.b-3.2", id="dots in an approval's name"),
    pytest.param("ModelApproval", "spec.licence.spdx", "LicenseRef-MNPL-0.1", id="own terms"),
    pytest.param(
        "ModelApproval",
        "spec.files",
        [{"path": f"{i:04}" + "x" * 100, "size": 1, "sha256": "0" * 64} for i in range(2000)],
        id="2000 files",
    ),
    pytest.param("ModelMirror", "spec.url", "http://10.0.0.1:8080", id="http and an address"),
    pytest.param("ModelSignature", "spec.decision", "Revoke", id="a revocation"),
    pytest.param("GPUNode", "spec.weights", [], id="no weights wanted"),
]

REFUSED = [
    pytest.param(
        "ModelDeployment",
        "metadata.name",
        "a" * 41,
        "metadata.name may have 40 characters at most",
        id="a name of 41 characters",
    ),
    pytest.param(
        "ModelDeployment",
        "metadata.name",
        "a.b",
        "metadata.name must begin with a lower-case letter",
        id="a dot in the name",
    ),
    pytest.param(
        "ModelDeployment",
        "metadata.name",
        "3small",
        "metadata.name must begin with a lower-case letter",
        id="a digit first",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"minReplicas": 5, "maxReplicas": 4},
        "scaling.minReplicas must not be more than scaling.maxReplicas",
        id="more at least than at most",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"minReplicas": 2},
        "scaling.minReplicas must not be more than scaling.maxReplicas",
        id="minReplicas over the default of maxReplicas",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"minReplicas": 0},
        "spec.scaling.minReplicas in body should be greater than or equal to 1",
        id="zero replicas",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "cron": "0 25 * * *"}]},
        "must be five fields as of a CronJob",
        id="the 25th hour",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "cron": "@daily"}]},
        "must be five fields as of a CronJob",
        id="a macro",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "timeZone": "Mars/Olympus"}]},
        "must be a name of the IANA time zone database",
        id="an unknown time zone",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "timeZone": "posix/UTC"}]},
        "must be a name of the IANA time zone database",
        id="a time zone of some machines",
    ),
    pytest.param(
        "ModelApproval",
        "spec.requestedBy",
        " ",
        "must not be blank",
        id="a blank person",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "timeZone": "+02:00"}]},
        "must be a name of the IANA time zone database",
        id="an offset",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [{**DAY, "duration": "0h"}]},
        "must be hours, minutes or both",
        id="a duration of nothing",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 9, "schedules": [DAY, {**DAY, "minReplicas": 5}]},
        "two scaling.schedules have the same cron, timeZone and duration",
        id="one window twice",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 3, "schedules": [DAY]},
        "minReplicas of a schedule must not be more than scaling.maxReplicas",
        id="a window above the maximum",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"schedules": [DAY]},
        "minReplicas of a schedule must not be more than scaling.maxReplicas",
        id="a window above the default of maxReplicas",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.scaling",
        {"maxReplicas": 3, "spareReplicas": 3},
        "scaling.spareReplicas must be less than scaling.maxReplicas",
        id="all spare",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.serviceLevel",
        {"percentile": 100},
        "spec.serviceLevel.percentile in body should be less than or equal to 99",
        id="no request that waits longer",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.contextLength",
        -1,
        "spec.contextLength in body should be greater than or equal to 1",
        id="a negative context",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.typicalTokens",
        4097,
        "typicalTokens must not be more than contextLength",
        id="typical requests longer than the context",
    ),
    pytest.param(
        "ModelDeployment",
        "spec.approval",
        "Small",
        'spec.approval: Invalid value: "Small": must be a name of Kubernetes',
        id="an approval's name in capitals",
    ),
    pytest.param(
        "ModelDeployment", "spec.approval", None, "spec.approval: Required value", id="no approval"
    ),
    pytest.param("ModelDeployment", "spec", None, "spec: Required value", id="no spec"),
    pytest.param(
        "ModelDeployment",
        "spec.contextLenght",
        1,
        'unknown field "spec.contextLenght"',
        id="an unknown field",
    ),
    pytest.param(
        "ModelApproval",
        "spec.revision",
        "main",
        "must be a commit, 40 lower-case hex characters, never a branch",
        id="a branch instead of a commit",
    ),
    pytest.param(
        "ModelApproval",
        "spec.repository",
        "../etc",
        "must be organisation/model",
        id="a repository that climbs",
    ),
    pytest.param(
        "ModelApproval",
        "spec.namespaces",
        ["chat", "chat"],
        "Duplicate value",
        id="a namespace twice",
    ),
    pytest.param(
        "ModelApproval",
        "spec.files",
        [
            {"path": "a", "size": 1, "sha256": "0" * 64},
            {"path": "a", "size": 2, "sha256": "1" * 64},
        ],
        "Duplicate value",
        id="a file twice",
    ),
    pytest.param(
        "ModelApproval",
        "spec.namespaces",
        ["*"],
        "must be the name of a namespace",
        id="a wildcard for namespaces",
    ),
    pytest.param(
        "ModelApproval",
        "spec.files",
        [{"path": "a", "size": -1, "sha256": "0" * 64}],
        "spec.files[0].size in body should be greater than or equal to 0",
        id="a negative size",
    ),
    pytest.param(
        "ModelApproval",
        "spec.requiredApprovals",
        0,
        "spec.requiredApprovals in body should be greater than or equal to 1",
        id="no approvals required",
    ),
    pytest.param(
        "ModelApproval",
        "spec.notAfter",
        "next year",
        "spec.notAfter in body must be of type date-time",
        id="an expiry that is no time",
    ),
    pytest.param(
        "ModelMirror",
        "spec.url",
        "ftp://mirror.example/hf",
        'spec.url: Invalid value: "ftp://mirror.example/hf": must be an http://',
        id="a mirror with another scheme",
    ),
    pytest.param(
        "ModelMirror",
        "spec.url",
        "https://user:secret@mirror.example",
        "must be an http:// or https:// URL without credentials",
        id="credentials in a URL",
    ),
    pytest.param(
        "ModelMirror",
        "spec.type",
        "huggingface",
        "manifestsURL is required for type huggingface",
        id="a hub without a folder of manifests",
    ),
    pytest.param(
        "ModelMirror",
        "spec.type",
        "ftp",
        'supported values: "huggingface", "http", "s3", "oci", "folder"',
        id="an unknown type of mirror",
    ),
    pytest.param(
        "ModelSignature",
        "spec.decision",
        "Maybe",
        'supported values: "Approve", "Revoke"',
        id="a third decision",
    ),
]

IMMUTABLE = [
    pytest.param(
        "ModelApproval",
        "spec.requiredApprovals",
        1,
        "spec is immutable: people signed this content",
        id="fewer approvals required",
    ),
    pytest.param(
        "ModelApproval",
        "spec.licence.contract",
        "C-1",
        "spec is immutable: people signed this content",
        id="a contract added",
    ),
    pytest.param(
        "ModelSignature",
        "spec.reason",
        "other",
        "spec is immutable: sign again, or revoke",
        id="a signature's reason",
    ),
]


def _dry_run(bare: Cluster, document: Json) -> None:
    bare.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.dump(document)
    )


def _refusal(bare: Cluster, document: Json) -> str:
    """What the API server says against it, "" when it takes it."""
    try:
        _dry_run(bare, document)
    except CommandError as refused:
        return refused.stderr
    return ""


@pytest.mark.parametrize(("kind", "path", "value"), ACCEPTED)
def test_accepted(bare: Cluster, kind: str, path: str, value: Any) -> None:
    _dry_run(bare, _with(kind, path, value))


@pytest.mark.parametrize(("kind", "path", "value", "words"), REFUSED)
def test_refused(bare: Cluster, kind: str, path: str, value: Any, words: str) -> None:
    with pytest.raises(CommandError) as refused:
        _dry_run(bare, _with(kind, path, value))
    assert words in refused.value.stderr


@pytest.mark.parametrize(("kind", "path", "value", "words"), IMMUTABLE)
def test_what_people_signed_never_changes(
    bare: Cluster, kind: str, path: str, value: Any, words: str
) -> None:
    bare.kubectl("create", "-f", "-", stdin=yaml.dump(BASE[kind]))
    try:
        with pytest.raises(CommandError) as refused:
            bare.kubectl("replace", "-f", "-", stdin=yaml.dump(_with(kind, path, value)))
        assert words in refused.value.stderr
    finally:
        bare.kubectl("delete", "-f", "-", stdin=yaml.dump(BASE[kind]))


# What a type of ModelMirror is and is not given, each member of each type beside the others.
_MIRRORS: dict[str, Json] = {
    "huggingface": {"url": "https://m.example", "manifestsURL": "https://m.example/m"},
    "http": {"url": "https://m.example"},
    "s3": {"url": "https://m.example", "s3": {"bucket": "weights"}},
    "oci": {"url": "https://m.example"},
    "folder": {"folder": {"name": "share"}},
}
_MEMBERS: tuple[Json, ...] = (
    {},
    {"url": None},
    {"manifestsURL": None},
    {"s3": None},
    {"folder": None},
    *_MIRRORS.values(),
    {"oci": {}},
    {"credentialsSecretName": "key"},
    {"caBundle": "PEM"},
    {"redirectHosts": []},
    {"redirectHosts": ["store.example"]},
    {"proxyURL": "http://proxy.example:3128"},
    {"timeouts": {"idleSeconds": 5}},
    *(
        {"url": url, "s3": {"bucket": "weights", "addressing": addressing}}
        for url in ("https://s3.example:9000/x", "http://10.1.2.3:9000", "http://[fd00::1]")
        for addressing in ("Path", "VirtualHost")
    ),
)


def test_a_mirror_is_judged_as_its_readers_judge_it(bare: Cluster) -> None:
    told: dict[str, str] = {}
    for kind, own in _MIRRORS.items():
        for number, member in enumerate(_MEMBERS):
            given = {"type": kind, **own, **member}
            spec = {name: value for name, value in given.items() if value is not None}
            words = broken_rule(ModelMirrorSpec.model_validate(spec))
            told[f"{kind}-{number}"] = words
            refusal = _refusal(bare, _object("ModelMirror", f"{kind}-{number}", spec))
            assert bool(refusal) == bool(words), f"{spec}: {refusal}"
            assert words in refusal, spec
    assert {"", *(one.message for one in MIRROR_RULES)} == set(told.values())


def test_an_object_that_nobody_visited_says_so(bare: Cluster) -> None:
    bare.kubectl("create", "-f", "-", stdin=yaml.dump(DEPLOYMENT))
    try:
        status = bare.get("mdep", "assistant", "default")["status"]
        assert status["observedGeneration"] == -1
        assert {each["status"] for each in status["conditions"]} == {"Unknown"}
        columns = bare.kubectl("get", "mdep", "assistant", "--namespace=default").split()
        assert columns[:5] == ["NAME", "READY", "AVAILABLE", "APPROVED", "MODEL"]
    finally:
        bare.kubectl("delete", "-f", "-", stdin=yaml.dump(DEPLOYMENT))


def test_a_want_of_0_1_0_is_kept_whole_beside_one_that_names_its_mirror(bare: Cluster) -> None:
    # An operator of 0.1.0 writes on for some seconds after the CRDs are new: nothing of it is
    # pruned or refused, and what the new one writes replaces it.
    want = {
        "manifestDigest": DIGEST,
        "approval": "small",
        "repository": "mistralai/small",
        "revision": "0" * 40,
        "bytes": 10,
    }
    facts = {"name": "internal", "type": "http", "url": "https://mirror.example/hf"}
    source = {**facts, "maxConcurrentPulls": 4, "caBundle": "PEM"}
    mirror = {**facts, "generation": 3, "timeouts": {"firstByteSeconds": 300, "idleSeconds": 60}}
    named = {**want, "mirror": {"name": "internal", "generation": 3}}
    specs: list[Json] = [
        {"weights": [{**want, "source": source}]},
        {"weights": [{**want, "source": source}, named], "mirrors": [mirror]},
        {"weights": [named], "mirrors": [mirror]},
        {"weights": []},
    ]
    try:
        for spec in specs:
            body = yaml.dump(_object("GPUNode", "node-1", spec))
            bare.kubectl("apply", "--server-side", "--field-manager=escadre", "-f", "-", stdin=body)
            assert bare.get("gpunode", "node-1")["spec"] == spec
    finally:
        bare.kubectl("delete", "gpunode", "node-1")
