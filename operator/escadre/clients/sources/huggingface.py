"""URLs of a mirror that offers the routes of a Hugging Face hub.

A file is ``{url}/{repository}/resolve/{revision}/{path}``; the mirror's URL may carry a prefix
(``…/artifactory/api/huggingfaceml/repo``). Only this route is used: no HEAD, no ETag, no Xet. The
manifests live elsewhere (``manifestsURL``), as a pinned commit takes no further file.
"""

from urllib.parse import quote

__all__ = ["file_url"]


def file_url(base: str, repository: str, revision: str, path: str) -> str:
    """Where a hub serves ``path``, each part percent-encoded as the hub's own client does."""
    return (
        f"{base.rstrip('/')}/{quote(repository)}/resolve/{quote(revision, safe='')}/{quote(path)}"
    )
