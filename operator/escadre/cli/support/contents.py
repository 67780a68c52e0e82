"""The files of a bundle, redacted and bounded, from what was read. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from escadre.cli.shared.words import bytes_text, count
from escadre.cli.support.found import Found
from escadre.cli.support.reader import Gap
from escadre.cli.support.redaction import Redactor, secrets_in

__all__ = ["LARGEST", "MISSING", "files_of"]

MISSING: Final = "MISSING.txt"
LARGEST: Final = 64 * 10**6  # of all files together, before they are packed
_README: Final = """\
A support bundle of Escadre, made by `escadre support-bundle` with the rights of one person.

versions.json    of the command line, the API, the cluster, and the images that run
settings.json    what the platform chose (the ConfigMap beside the operator)
objects/         our kinds and what was made from them, nodes, the Lease, pods, events
logs/            the operator's and the agents', their ends; of engines none is taken
views/           escadre status, why and nodes at that time
{missing}
Taken out before it was written: values of what is called a password, token, key or secret,
credentials and queries of URLs, what has the form of a token, values of environment variables but
for those that Escadre sets itself, annotations of others, lines that name a prompt. Secrets were
not asked for. Read it before you hand it on: a name may tell what you would not.
"""


def files_of(found: Found, gaps: Sequence[Gap]) -> dict[str, bytes]:
    """Every file by its path; with a list of what is missing, unless nothing is."""
    settings = _settings(found.settings)
    redactor = Redactor(secrets_in([found.objects, settings]))
    files: dict[str, bytes] = {}
    left_out: list[Gap] = []
    room = LARGEST
    for path, content in _contents(found, settings, redactor):
        if len(content) > room:
            why = f"{bytes_text(len(content))} more than the {bytes_text(LARGEST)} of a bundle"
            left_out.append(Gap(path, why))
            continue
        room -= len(content)
        files[path] = content
    missing = [*gaps, *left_out]
    said = f"{MISSING}      {count(len(missing), 'thing')} that could not be read, and why\n"
    files["README.txt"] = _README.format(missing=said if missing else "").encode()
    if missing:
        files[MISSING] = redactor.text(_listed(missing)).encode()
    return files


def _contents(found: Found, settings: Any, redactor: Redactor) -> Iterator[tuple[str, bytes]]:
    """What helps most comes first, and so what is left out for want of room helps least."""
    yield "versions.json", _json(redactor.object(found.versions))
    for path, text in found.views.items():
        yield f"views/{path}", redactor.log(text).encode()
    if settings is not None:
        yield "settings.json", _json(redactor.object(settings))
    for plural, items in found.objects.items():
        yield f"objects/{plural}.json", _json(redactor.object({"kind": "List", "items": items}))
    for path, text in found.logs.items():
        yield f"logs/{path}", redactor.log(text).encode()


def _settings(text: str) -> Mapping[str, Any] | None:
    """Of another version, or broken: its text by lines, each of which is redacted."""
    if not text:
        return None
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError:
        whole = None
    return whole if isinstance(whole, dict) else {"lines": text.splitlines()}


def _json(value: Any) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return f"{text}\n".encode(errors="replace")


def _listed(missing: Iterable[Gap]) -> str:
    return "".join(f"{one.what}: {one.why}\n" for one in missing)
