"""An S3 store: where it keeps a repository, how it lists it, how requests are signed.

A file is ``{prefix}/{repository}/{revision}/{path}`` in the bucket, a manifest
``{prefix}/escadre-manifests/<64 hex>.manifest``. An ETag is no digest: that of a multipart upload
is none of the content. Only that there is one is looked at, since gateways over a file system give
none to what was put behind their back.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from escadre.api.mirror import S3Bucket
from escadre.clients.sources.answer import Told
from escadre.clients.sources.credentials import AccessKey
from escadre.clients.sources.errors import MirrorUnavailable, NotFound
from escadre.clients.sources.origins import shown
from escadre.clients.sources.protocol import ListedFile
from escadre.clients.sources.s3.flatxml import NotXmlError, values
from escadre.clients.sources.s3.sigv4 import signed
from escadre.clients.sources.transport import Transport
from escadre.core.weights.manifest import MAX_FILES

__all__ = ["Signer", "explain", "file_url", "list_files", "manifests_url"]

_MAX_PAGE: Final = 8 * 1024 * 1024  # 1,000 keys of 1,024 bytes with all that stands around them
_MAX_KEYS: Final = 5 * MAX_FILES  # a list that goes on is not a model's
_MAX_PAGES: Final = 100
_SECONDS: Final = 900.0  # for all pages
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,63}")
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs each request anew: a signature holds for minutes."""

    key: AccessKey
    region: str

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - an Authorize
        """Headers of a GET."""
        return signed(self.key, self.region, datetime.now(UTC), url, headers)


def _bucket_url(endpoint: str, bucket: S3Bucket) -> str:
    parts = urlsplit(endpoint.rstrip("/"))
    if bucket.addressing == "VirtualHost":
        return urlunsplit(parts._replace(netloc=f"{bucket.bucket}.{parts.netloc}"))
    return f"{urlunsplit(parts)}/{bucket.bucket}"


def _key(bucket: S3Bucket, *parts: str) -> str:
    return "/".join(part for part in (bucket.prefix, *parts) if part)


def file_url(endpoint: str, bucket: S3Bucket, repository: str, revision: str, path: str) -> str:
    """Where the bucket holds ``path``."""
    return f"{_bucket_url(endpoint, bucket)}/{quote(_key(bucket, repository, revision, path))}"


def manifests_url(endpoint: str, bucket: S3Bucket) -> str:
    """Where the bucket holds the manifests."""
    return f"{_bucket_url(endpoint, bucket)}/{quote(_key(bucket, 'escadre-manifests'))}"


def list_files(
    transport: Transport, endpoint: str, bucket: S3Bucket, repository: str, revision: str
) -> list[ListedFile]:
    """The files below the repository's commit, as ListObjectsV2 has them. Raises MirrorError."""
    folder = f"{_key(bucket, repository, revision)}/"
    where = f"listing {shown(_bucket_url(endpoint, bucket))}/{folder}"
    found: list[ListedFile] = []
    for key, size, settled in _objects(transport, _bucket_url(endpoint, bucket), folder):
        if not key.startswith(folder):
            raise MirrorUnavailable(f"{where}: the key {key[:80]!r} is not below it")
        path = key.removeprefix(folder)
        if not path or path.endswith("/"):  # a folder that some tool has put there
            continue
        if len(found) == _MAX_KEYS:
            raise MirrorUnavailable(
                f"{where}: more than {_MAX_KEYS:,} files, where a model has {MAX_FILES:,} at most"
            )
        url = file_url(endpoint, bucket, repository, revision, path)
        found.append(ListedFile(path, size if settled else _served_size(transport, url)))
    if not found:
        raise NotFound(f"{where}: the bucket has no such folder")
    return found


def _objects(transport: Transport, base: str, folder: str) -> Iterator[tuple[str, int, bool]]:
    """Key, size and whether the store took it in itself, page by page."""
    where, token = f"listing {shown(base)}/{folder}", ""
    until = time.monotonic() + _SECONDS
    for _ in range(_MAX_PAGES):
        query = {"list-type": "2", "prefix": folder}
        query |= {"continuation-token": token} if token else {}
        # In the order of their names, as they are signed.
        url = f"{base}?{urlencode(sorted(query.items()), quote_via=quote, safe='')}"
        page = _page(transport.page(url, _MAX_PAGE, until).text, where)
        yield from page.objects
        if not page.next:
            return
        if page.next == token:
            break
        token = page.next
    raise MirrorUnavailable(f"{where}: the list does not end")


def _served_size(transport: Transport, url: str) -> int:
    """Bytes of a file that was put behind the store's back: listed with the size of a link."""
    with transport.get(url) as body:
        if body.length is None:
            raise MirrorUnavailable(f"getting {shown(url)}: no Content-Length")
        return body.length


@dataclass(frozen=True, slots=True)
class _Page:
    objects: list[tuple[str, int, bool]]  # key, size, whether the store took it in itself
    next: str


def _page(text: bytes, where: str) -> _Page:
    objects: list[tuple[str, int, bool]] = []
    one: dict[str, str] = {}
    page: dict[str, str] = {}
    for path, value in _elements(text, where):
        if path == "Contents":
            objects.append(_object(one, where))
            one = {}
        elif path.startswith("Contents/"):
            one[path.removeprefix("Contents/")] = value
        else:
            page[path] = value
    if page.get("IsTruncated") != "true":
        return _Page(objects, "")
    if not page.get("NextContinuationToken"):
        raise MirrorUnavailable(f"{where}: a list that goes on, without NextContinuationToken")
    return _Page(objects, page["NextContinuationToken"])


def _elements(text: bytes, where: str) -> Iterator[tuple[str, str]]:
    """The elements of a list, by their path in it; raises MirrorUnavailable when it is none."""
    try:
        found = list(values(text))
    except NotXmlError as error:
        raise MirrorUnavailable(f"{where}: the answer is no list of S3: {error}") from error
    root = found[-1][0]
    if root != "ListBucketResult":
        raise MirrorUnavailable(f"{where}: the answer is no list but {root[:40]!r}")
    return ((path.removeprefix(f"{root}/"), value) for path, value in found[:-1])


def _object(one: Mapping[str, str], where: str) -> tuple[str, int, bool]:
    key, size = one.get("Key", ""), one.get("Size", "")
    if not key or not re.fullmatch("[0-9]{1,15}", size):
        raise MirrorUnavailable(
            f"{where}: an entry with Key {key[:80]!r} and Size {size[:20]!r}, "
            "which are no name and no number"
        )
    return key, int(size), bool(one.get("ETag"))


_WORDS: Final = {
    "AccessDenied": "the access key may not read this, or the bucket wants one",
    "AuthorizationHeaderMalformed": "the request is signed for another region than the bucket's; "
    "correct spec.s3.region",
    "ExpiredToken": "the session token has ended; renew the Secret",
    "InvalidAccessKeyId": "the store knows no such access key",
    "InvalidToken": "the store does not know the session token; renew the Secret",
    "NoSuchBucket": "the store has no bucket of that name",
    "PermanentRedirect": "the bucket is at another endpoint; correct spec.url, spec.s3.region or "
    "spec.s3.addressing",
    "RequestTimeTooSkewed": "the clock of this machine and that of the store are further apart "
    "than signatures allow (15 minutes); set both by NTP",
    "XAdminUserNotFound": "the store knows no such access key",  # versitygw, with the status 404
    "SignatureDoesNotMatch": "the secret access key is not the access key's, or a proxy in between "
    "changes the host or the path",
}
# Told with another status than 401 and 403.
_CREDENTIALS: Final = frozenset({"ExpiredToken", "InvalidToken", "XAdminUserNotFound"})


def explain(text: bytes) -> Told:
    """The code of an error of S3, and what it means; what else the body says is not shown."""
    try:
        said = dict(values(text))
    except NotXmlError:
        return Told()
    code = said.get("Error/Code", "")
    if not _CODE.fullmatch(code):
        return Told()
    words, region = _WORDS.get(code, ""), said.get("Error/Region", "")
    if words and _REGION.fullmatch(region):
        words += f" (the store says {region})"
    return Told(code, words, code in _CREDENTIALS)
