"""One model on one mirror of each protocol, on the servers that people run.

``WORLDS`` names them. Each gives the spec of its ModelMirror, the credentials that it wants, and
others that are wrong; the secrets in them stand nowhere else, so that finding one is a leak.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from e2e.cluster.binaries import provide_programs
from e2e.cluster.programs import Tier
from e2e.engine.mirror import caddy, haproxy
from e2e.engine.mirror.nginx import nginx_mirror, why_missing
from e2e.engine.mirror.registry import (
    Layer,
    Storage,
    in_bucket,
    modelpack,
    on_disk,
    oras,
    push,
    registry,
)
from e2e.engine.mirror.versitygw import versitygw
from tests.agent.conftest import COMMIT, SampleModel, lay_out
from tests.clients.sources.faulty import LOCAL
from tests.clients.sources.tokenservice import token_service

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import AccessKey, Credentials
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.transport import Timeouts

__all__ = ["CANARY", "WORLDS", "World"]

CANARY: Final = "s3cr3t-canary"
_WRONG: Final = "wrong-canary"
# Of CANARY, as the registry's htpasswd wants it.
_BCRYPT: Final = "robot:$2b$04$ZAU08xX1nstqQre7ypA2fODIjfy1Ov9refCXFL4u.a8YfU7MmofKK\n"


@dataclass(frozen=True)
class World:
    """A mirror with the model on it."""

    spec: Mapping[str, Any]
    right: Credentials | None = None
    wrong: Credentials | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)

    def opened(
        self,
        *,
        url: str | None = None,
        without: str = "",
        wrong: bool = False,
        first_byte: float = 60,
        **more: Any,
    ) -> Source:
        """The model's repository there; at another ``url``, ``without`` a member of the spec."""
        spec = {**self.spec, **({"url": url} if url else {})}
        spec.pop(without, None)
        return open_source(
            "mirror",
            ModelMirrorSpec.model_validate(spec),
            **{"repository": "org/model", "revision": COMMIT, **more},
            credentials=self.wrong if wrong else self.right,
            timeouts=Timeouts(connect=60, first_byte=first_byte, idle=60),
            folders=self.folders,
            guard=LOCAL,
        )


@contextmanager
def _folder(work: Path, model: SampleModel) -> Iterator[World]:
    lay_out(work / "share", model)
    yield World({"type": "folder", "folder": {"name": "share"}}, folders={"share": work / "share"})


@contextmanager
def _tree(work: Path, model: SampleModel) -> Iterator[World]:
    lay_out(work / "root", model)
    with _nginx(work / "root") as url:
        yield World({"type": "http", "url": url}, *_bearers())


@contextmanager
def _hub(work: Path, model: SampleModel) -> Iterator[World]:
    """The routes of a hub, as files: nginx leaves the query out."""
    root = work / "root"
    lay_out(root, model)
    below = root / "hub" / "org" / "model" / "resolve"
    below.mkdir(parents=True)
    shutil.move(root / "org" / "model" / COMMIT, below / COMMIT)
    listing = root / "hub" / "api" / "models" / "org" / "model" / "tree"
    listing.mkdir(parents=True)
    (listing / COMMIT).write_text(
        json.dumps(
            [
                {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
                for path, content in model.contents.items()
            ]
        )
    )
    with _nginx(root) as url:
        manifests = f"{url}/escadre-manifests"
        spec = {"type": "huggingface", "url": f"{url}/hub", "manifestsURL": manifests}
        yield World(spec, *_bearers())


@contextmanager
def _caddy(work: Path, model: SampleModel) -> Iterator[World]:
    lay_out(work / "root", model)
    if missing := caddy.why_missing():
        pytest.skip(missing)
    with caddy.caddy_mirror(work / "root", work, token=CANARY) as url:
        yield World({"type": "http", "url": url}, *_bearers())


@contextmanager
def _haproxy(work: Path, model: SampleModel) -> Iterator[World]:
    """In front of nginx, which lets anybody read."""
    lay_out(work / "root", model)
    if missing := haproxy.why_missing() or why_missing():
        pytest.skip(missing)
    with nginx_mirror(work / "root") as inner:
        behind = inner.removeprefix("http://")
        with haproxy.haproxy_front(behind, work, token=CANARY) as url:
            yield World({"type": "http", "url": url}, *_bearers())


def _bearers() -> tuple[Credentials, Credentials]:
    return Credentials.bearer(CANARY), Credentials.bearer(_WRONG)


@contextmanager
def _nginx(root: Path) -> Iterator[str]:
    if missing := why_missing():
        pytest.skip(missing)
    with nginx_mirror(root, token=CANARY) as url:
        yield url


@contextmanager
def _s3(work: Path, model: SampleModel) -> Iterator[World]:
    """Files behind the store's back, one of them a link."""
    bucket = work / "buckets" / "weights"
    lay_out(bucket / "models", model)
    linked = bucket / "models" / "org" / "model" / COMMIT / "tekken.json"
    linked.rename(bucket / "behind")
    linked.symlink_to(bucket / "behind")
    spec = {"type": "s3", "s3": {"bucket": "weights", "prefix": "models"}}
    with versitygw(_program("versitygw"), work / "buckets", work, key=("AKID", CANARY)) as url:
        right, wrong = (
            Credentials(access_key=AccessKey("AKID", secret)) for secret in (CANARY, _WRONG)
        )
        yield World({**spec, "url": url}, right, wrong)


@contextmanager
def _registry(
    work: Path, model: SampleModel, layer: Layer, auth: Any, storage: Storage | None = None
) -> Iterator[World]:
    program, storage = _program("registry"), storage or on_disk(work / "registry")
    with registry(program, storage, work) as url:
        push(url, "models/org/model", COMMIT, model.contents, layer)
        own = model.digest.removeprefix("sha256:")
        push(url, "models/org/model", f"escadre-{own}", {f"{own}.manifest": model.text}, oras)
    with registry(program, storage, work, auth) as url:
        right, wrong = (Credentials.basic("robot", secret) for secret in (CANARY, _WRONG))
        yield World({"type": "oci", "url": f"{url}/models"}, right, wrong)


def _htpasswd(work: Path) -> Mapping[str, Any]:
    (work / "htpasswd").write_text(_BCRYPT)
    return {"htpasswd": {"realm": "registry", "path": str(work / "htpasswd")}}


@contextmanager
def _oci_password(work: Path, model: SampleModel) -> Iterator[World]:
    with _registry(work, model, oras, _htpasswd(work)) as world:
        yield world


@contextmanager
def _oci_redirecting(work: Path, model: SampleModel) -> Iterator[World]:
    """Blobs come from presigned URLs of another host."""
    key = ("AKID", CANARY)
    (work / "buckets" / "blobs").mkdir(parents=True)
    with versitygw(_program("versitygw"), work / "buckets", work, key=key) as store:
        storage = in_bucket(store, "blobs", key)
        with _registry(work, model, modelpack, _htpasswd(work), storage) as world:
            hosts = {"redirectHosts": [store.removeprefix("http://")]}
            yield World({**world.spec, **hosts}, world.right, world.wrong)


@contextmanager
def _oci_token(work: Path, model: SampleModel) -> Iterator[World]:
    with token_service("robot", CANARY) as service:
        (work / "jwks").write_text(service.jwks())
        auth = {
            "token": {
                "realm": f"{service.url}/token",
                "service": "registry",
                "issuer": "issuer",
                "jwks": str(work / "jwks"),
            }
        }
        with _registry(work, model, modelpack, auth) as world:
            hosts = {"authHosts": [service.url.removeprefix("http://")]}
            yield World({**world.spec, "oci": hosts}, world.right, world.wrong)


def _program(name: str) -> Path:
    return provide_programs(print, Tier.MIRRORS)[name].path


Raise = Callable[[Path, SampleModel], Any]
WORLDS: Final[Mapping[str, Raise]] = {
    "folder": _folder,
    "http": _tree,
    "http by caddy": _caddy,
    "http behind haproxy": _haproxy,
    "huggingface": _hub,
    "s3": _s3,
    "oci with a password": _oci_password,
    "oci with tokens": _oci_token,
    "oci over s3": _oci_redirecting,
}
