"""The list of files of a repository at a commit, from a mirror with a Hugging Face hub's routes.

Metadata only, for the drafting tool: bytes go through clients/sources, and the digests that count
are computed from them. huggingface_hub is imported here and nowhere else, after its telemetry was
switched off; its client gets a timeout and the mirror's certificates, and may not go elsewhere.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import MirrorUnavailable, NotFound, Unauthorized
from escadre.clients.sources.origins import origin, shown
from escadre.clients.sources.protocol import ListedFile
from escadre.clients.sources.tls import tls_context

__all__ = ["list_files"]

_TIMEOUT: Final = 30.0
_UNAUTHORIZED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404


def list_files(
    url: str,
    repository: str,
    revision: str,
    *,
    credentials: Credentials | None,
    ca_bundle: str | None,
) -> list[ListedFile]:
    """List the files of ``repository`` at the commit ``revision``.

    Raises:
        Refusal: Unauthorized, NotFound, MirrorUnavailable, naming the URL.
    """
    base = url.rstrip("/")
    headers = dict(credentials.authorize("GET", base, {})) if credentials else {}
    where = f"listing {repository} at {revision} on {shown(base)}"
    with _hub(base, ca_bundle, where) as hub:
        api = hub.HfApi(endpoint=base, token=False, headers=headers, library_name="escadre")
        tree = api.list_repo_tree(repository, recursive=True, revision=revision)
        return [
            ListedFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else None)
            for entry in tree
            if isinstance(entry, hub.hf_api.RepoFile)
        ]


@contextmanager
def _hub(base: str, ca_bundle: str | None, where: str) -> Iterator[Any]:
    """The library, set up for one mirror, with its errors turned into ours."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DISABLE_XET"):
        os.environ.setdefault(name, "1")  # read once, at the library's import
    import httpx2  # noqa: PLC0415 - the library's own HTTP client, needed for drafting only
    import huggingface_hub  # noqa: PLC0415 - takes a second, needed for drafting only
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    def stay(request: httpx2.Request) -> None:
        if origin(str(request.url)) != origin(base):
            there = shown(str(request.url))
            raise MirrorUnavailable(f"{where}: sent to another origin, {there}, not followed")

    def client() -> httpx2.Client:
        return httpx2.Client(
            event_hooks={"request": [stay]},
            follow_redirects=True,
            timeout=_TIMEOUT,
            verify=tls_context(ca_bundle),
            trust_env=False,
        )

    huggingface_hub.set_client_factory(client)
    try:
        yield huggingface_hub
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in _UNAUTHORIZED:
            raise Unauthorized(f"{where}: HTTP {status}") from error
        if status == _NOT_FOUND:
            raise NotFound(f"{where}: HTTP 404, no such repository or commit") from error
        raise MirrorUnavailable(f"{where}: HTTP {status}") from error
    except (httpx2.HTTPError, OSError, ValueError, KeyError) as error:
        raise MirrorUnavailable(f"{where}: {error or type(error).__name__}") from error
    finally:
        huggingface_hub.close_session()
