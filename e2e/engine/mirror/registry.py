"""A real OCI registry (CNCF Distribution) over a folder, and a model pushed to it."""

import hashlib
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from e2e.engine.mirror.served import served
from e2e.engine.ports import free_port

__all__ = [
    "ENVIRONMENT",
    "Layer",
    "Storage",
    "configuration",
    "in_bucket",
    "modelpack",
    "on_disk",
    "oras",
    "push",
    "registry",
]

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"

ENVIRONMENT: Final = {"OTEL_TRACES_EXPORTER": "none"}

Storage = Mapping[str, Any]  # a section of the registry's configuration
Layer = Callable[[str], Mapping[str, Any]]  # from a file's path: media type and annotations


def modelpack(path: str) -> Mapping[str, Any]:
    """A file as ModelPack has it, raw."""
    return {
        "mediaType": "application/vnd.cncf.model.weight.v1.raw",
        "annotations": {"org.cncf.model.filepath": path},
    }


def oras(path: str) -> Mapping[str, Any]:
    """A file as `oras push FILE` has it: called a tar layer, and none."""
    return {
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "annotations": {"org.opencontainers.image.title": path},
    }


def on_disk(root: Path) -> Storage:
    """Blobs in a folder, which the registry gives out itself."""
    return {"filesystem": {"rootdirectory": str(root)}}


def in_bucket(endpoint: str, bucket: str, key: tuple[str, str]) -> Storage:
    """Blobs in a bucket of an S3 store, which readers are sent to with a presigned URL."""
    return {
        "s3": {
            "regionendpoint": endpoint,
            "region": "us-east-1",
            "bucket": bucket,
            "accesskey": key[0],
            "secretkey": key[1],
            "forcepathstyle": True,
            "secure": False,
        }
    }


def configuration(storage: Storage, address: str, auth: Mapping[str, Any] | None = None) -> str:
    """The registry's configuration file; ``auth`` is its section of that name."""
    return json.dumps(  # which is YAML
        {
            "version": "0.1",
            "log": {"accesslog": {"disabled": True}},
            "storage": storage,
            "http": {"addr": address},
            **({"auth": auth} if auth else {}),
        }
    )


@contextmanager
def registry(
    program: Path, storage: Storage, work: Path, auth: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Serve what is in ``storage`` and yield the registry's URL."""
    port = free_port()
    config = work / f"registry-{port}.yaml"
    config.write_text(configuration(storage, f"127.0.0.1:{port}", auth))
    command = [str(program), "serve", str(config)]
    with served(command, port, work / "registry.log", {**ENVIRONMENT, "HOME": str(work)}):
        yield f"http://127.0.0.1:{port}"


def push(url: str, name: str, tag: str, files: Mapping[str, bytes], layer: Layer) -> None:
    """Push ``files`` (path → content), each as ``layer`` says, under ``name:tag``."""
    empty = b"{}"
    document = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": "application/vnd.cncf.model.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": _push_blob(url, name, empty),
            "size": len(empty),
        },
        "layers": [
            {**layer(path), "digest": _push_blob(url, name, content), "size": len(content)}
            for path, content in files.items()
        ],
    }
    text = json.dumps(document).encode()
    _send("PUT", f"{url}/v2/{name}/manifests/{tag}", text, _MANIFEST)


def _push_blob(url: str, name: str, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    begun = _send("POST", f"{url}/v2/{name}/blobs/uploads/", b"", "application/octet-stream")
    there = urljoin(url, begun["Location"])
    there += f"{'&' if '?' in there else '?'}digest={digest}"
    _send("PUT", there, content, "application/octet-stream")
    return digest


def _send(method: str, url: str, body: bytes, kind: str) -> Mapping[str, str]:
    request = urllib.request.Request(  # noqa: S310 - of the test's own server
        url, body, {"Content-Type": kind}, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return dict(answer.headers.items())
