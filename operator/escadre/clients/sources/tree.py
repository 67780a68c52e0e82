"""URLs of a mirror that is a plain tree of files, as nginx serves it.

A file is ``{url}/{repository}/{revision}/{path}``, so that several models and commits live side by
side; the manifests are in ``{url}/escadre-manifests`` unless the ModelMirror says otherwise.
"""

from urllib.parse import quote

__all__ = ["file_url"]


def file_url(base: str, repository: str, revision: str, path: str) -> str:
    """Where the tree holds ``path``."""
    return f"{base.rstrip('/')}/{quote(repository)}/{quote(revision, safe='')}/{quote(path)}"
