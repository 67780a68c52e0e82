"""The two files of a draft, and what is said of them. Called by cli/approve/draft.py."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from escadre.cli.approve.drafting import Draft
from escadre.cli.shared.session import Environment, Output
from escadre.cli.shared.words import bytes_text, count
from escadre.cli.shared.yamltext import yaml_text
from escadre.core.catalog.check import contradictions, other_licence
from escadre.core.catalog.shelf import find
from escadre.core.weights.findings import printable_name
from escadre.errors import EscadreError
from escadre.names import digest_hex

__all__ = ["Files", "tell", "write"]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the draft lies; ``overwritten`` are those of its files that were there before."""

    manifest: Path
    approval: Path
    overwritten: tuple[Path, ...]


def write(out: Path, draft: Draft, document: dict[str, Any]) -> Files:
    """Writes the two into ``out``, which is made if need be: both, or none where something fails.

    Each is written whole under another name first, so that an older draft there stays as it was.
    """
    manifest = out / f"{digest_hex(draft.digest)}.manifest"
    approval = out / f"{document['metadata']['name']}.yaml"
    overwritten = tuple(each for each in (manifest, approval) if each.exists())
    contents = {approval: yaml_text(document).encode(), manifest: draft.text}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as unfinished:
            for path, content in contents.items():
                unfinished.callback(_beside(path).unlink, missing_ok=True)
                _beside(path).write_bytes(content)
            for path in contents:
                _beside(path).replace(path)
    except OSError as error:
        raise EscadreError(f"writing the draft to {out}: {error.strerror}") from error
    return Files(manifest, approval, overwritten)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def tell(
    environment: Environment,
    draft: Draft,
    document: dict[str, Any],
    files: Files,
    publish: str,
    output: Output,
) -> None:
    """Says what was drafted and written, and what people do next."""
    manifest, approval = files.manifest, files.approval
    doubts = _doubts(draft, document["spec"])
    if output is not Output.TABLE:
        environment.print_document(
            {
                "approval": str(approval),
                "manifest": str(manifest),
                "overwritten": [str(each) for each in files.overwritten],
                "manifestDigest": draft.digest,
                "files": len(draft.manifest.files),
                "bytes": draft.manifest.total_bytes,
                "leftOut": list(draft.selection.left_out),
                "catalog": list(doubts),
                "document": document,
            },
            output,
        )
        return
    say = partial(environment.out.print, soft_wrap=True)  # paths and commands are copied
    size = bytes_text(draft.manifest.total_bytes)
    say(f"{count(len(draft.manifest.files), 'file')}, {size}, {draft.digest}")
    for path in draft.selection.left_out:
        say(f"left out: {printable_name(path)}")
    for doubt in doubts:
        say(f"catalog: {doubt}")
    for each in (manifest, approval):
        say(f"{'overwrote' if each in files.overwritten else 'wrote'} {each}")
    say(f"1. read {approval}")
    say(f"2. {publish}")
    say(f"3. kubectl apply -f {approval}")
    say(f"4. others sign: escadre approve sign {document['metadata']['name']}")


def _doubts(draft: Draft, spec: dict[str, Any]) -> tuple[str, ...]:
    """What files and licence say otherwise than is published of this very repository."""
    repository: str = spec["repository"]
    entry = find(repository)
    if entry is None or entry.repository.lower() != repository.lower():
        return ()
    licence = other_licence(entry, spec["licence"]["spdx"])
    return (*contradictions(entry, draft.architecture), *licence)
