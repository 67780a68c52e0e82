"""--nodes of `escadre plan`: nodes that nobody has yet, or that somebody listed. Pure.

Written as ``4 x 8 x H100-80GB, 2 x 4 x L40S``: nodes, GPUs on each, product; or a file with such
lines, or with what `kubectl get nodes -o yaml` prints. Listed nodes are read by the operator's own
code (state/nodes.py), so that what it would leave out is left out here.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from escadre.cli.plan.wishfiles import WishText, documents
from escadre.cli.shared.cards import card_named
from escadre.cli.shared.encoding import undecoded
from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.naming import object_fault
from escadre.core.engines.amounts import MIB
from escadre.core.engines.cards import Card
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.layouts.told import short_product
from escadre.core.listing import listed
from escadre.errors import EscadreError
from escadre.fieldfaults import shown
from escadre.state.nodes import node_facts
from escadre.state.unused import unused
from escadre.state.views import NodeView

__all__ = ["Nodes", "read_nodes"]

_GROUP: Final = re.compile(
    r"(?:([0-9]{1,12})\s*[x×*]\s*)?([0-9]{1,12})\s*[x×*]\s*([A-Za-z][A-Za-z0-9 _-]*)", re.IGNORECASE
)
_BEGUN: Final = re.compile(r"\s*[-+.0-9]+\s*[x×*]|.*\s[x×*]\s", re.IGNORECASE)
_MOST_NODES: Final = 10_000
_MOST_GPUS: Final = 64
_NAMED: Final = 8
_MEANT: Final = (
    '"4 x 8 x H100-80GB, 2 x 4 x L40S" (nodes x GPUs on each x product), or a file with such lines '
    "or with what kubectl get nodes -o yaml prints, is meant"
)


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes, and what there is to say of how they were read."""

    nodes: tuple[NodeFacts | Unused, ...]
    notes: tuple[str, ...]


def read_nodes(
    text: str, read: Callable[[str], str], tolerations: Sequence[Mapping[str, Any]]
) -> Nodes:
    """The nodes of --nodes.

    Raises:
        BadInput: a group that is wrong, with what is known.
        EscadreError: a file that cannot be read, or a mistake in it.
    """
    if not text.strip():
        raise BadInput(f"--nodes: nothing is named; {_MEANT}")
    if _GROUP.match(text.strip()):
        return _typed(re.split(r"[,;\n]", text))
    file = _read(text, read)
    lines = [line.partition("#")[0].strip() for line in file.text.splitlines()]
    written = [line for line in lines if line]
    if written and _GROUP.match(written[0]):
        return _written([part for line in written for part in re.split(r"[,;]", line)], text)
    try:
        bodies = _objects_of(file)
    except EscadreError as error:
        raise EscadreError(f"--nodes {error}; {_MEANT}") from error
    if written and not bodies and ":" not in file.text:  # no object at all: its line is named
        return _written(written[:1], text)
    return _listed(bodies, file.source, tolerations)


def _objects_of(file: WishText) -> list[dict[str, Any]]:
    """Those of a file that holds nothing else; none of one that is a line of words."""
    found = [body for _, _, body in documents([file])]
    bodies = [body for body in found if isinstance(body, dict)]
    odd = next((body for body in found if not isinstance(body, dict)), None)
    if odd is not None and (bodies or isinstance(odd, list)):
        raise EscadreError(f"{file.source}: {shown(odd)} is no object")
    return bodies


def _written(parts: Sequence[str], file: str) -> Nodes:
    """The groups of a file: what is wrong in it is a mistake in a file, no wrong use."""
    try:
        return _typed(parts)
    except BadInput as error:
        raise EscadreError(f"{file}: {error}") from error


def _read(name: str, read: Callable[[str], str]) -> WishText:
    try:
        return WishText(name, read(name))
    except UnicodeDecodeError as error:
        raise EscadreError(f"--nodes {name} {undecoded(error)}; {_MEANT}") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError) and _BEGUN.match(name):
            raise BadInput(f"--nodes: {name!r} is no group of nodes; {_MEANT}") from error
        raise EscadreError(f"--nodes {name}: {error.strerror or error}; {_MEANT}") from error


def _typed(parts: Sequence[str]) -> Nodes:
    counted: Counter[str] = Counter()
    nodes: list[NodeFacts | Unused] = []
    groups = [_group(part.strip()) for part in parts if part.strip()]
    if sum(number for number, _, _ in groups) > _MOST_NODES:
        raise BadInput(f"--nodes: {_MOST_NODES:,} nodes at most")
    named = [card_named(product, "--nodes") for _, _, product in groups]
    stems = [short_product(one.card.product).lower() for one in named]
    total: Counter[str] = Counter()
    for (number, _, _), stem in zip(groups, stems, strict=True):
        total[stem] += number
    for (number, gpus, _), taken, stem in zip(groups, named, stems, strict=True):
        width = len(str(total[stem]))
        for _ in range(number):
            counted[stem] += 1
            nodes.append(_node(f"{stem}-{counted[stem]:0{width}}", gpus, taken.card))
    return Nodes(tuple(nodes), tuple(dict.fromkeys(one.note for one in named if one.note)))


def _group(part: str) -> tuple[int, int, str]:
    match = _GROUP.fullmatch(part)
    if match is None:
        raise BadInput(f"--nodes: {part!r} is no group of nodes; {_MEANT}")
    number, gpus = int(match[1] or 1), int(match[2])
    if number < 1 or not 1 <= gpus <= _MOST_GPUS:
        raise BadInput(f"--nodes: {part!r}: one node or more with 1 to {_MOST_GPUS} GPUs is meant")
    return number, gpus, match[3]


def _node(name: str, gpus: int, card: Card) -> NodeFacts:
    return NodeFacts(
        name=name,
        uid=name,
        product=card.product,
        memory_bytes=card.mebibytes * MIB,
        compute_capability=card.capability,
        gpus=gpus,
    )


def _listed(
    bodies: Sequence[Mapping[str, Any]], source: str, tolerations: Sequence[Mapping[str, Any]]
) -> Nodes:
    found = list(_described(bodies, tolerations))
    if not found:
        raise EscadreError(f"--nodes {source}: no Node with GPUs in it; {_MEANT}")
    name, times = Counter(one.name for one in found).most_common(1)[0]
    if times > 1:
        raise EscadreError(
            f"--nodes {source}: Node {name} stands in it {times} times; leave all but one out"
        )
    shut = [f"{one.name} ({why})" for one in found if (why := _why_not(one))]
    if not shut:
        return Nodes(tuple(found), ())
    note = f"{len(shut):,} of {len(found):,} nodes of {source} cannot be planned with: "
    return Nodes(tuple(found), (note + listed(shut, _NAMED, "; "),))


def _why_not(node: NodeFacts | Unused) -> str:
    return node.why if isinstance(node, Unused) else node.blocked


def _described(
    bodies: Sequence[Mapping[str, Any]], tolerations: Sequence[Mapping[str, Any]]
) -> Iterator[NodeFacts | Unused]:
    """Nodes as the operator sees them before any agent has spoken; agents are taken to be there."""
    for body in bodies:
        if body.get("kind") != "Node":
            continue
        node = _view(body)
        facts = node_facts(node, None, None, (), tolerations)
        if facts is not None:
            yield replace(facts, unbelieved=None)
        elif (left := unused(node)) is not None:
            yield left


def _view(body: Mapping[str, Any]) -> NodeView:
    """The view, also of a Node that somebody wrote or shortened by hand."""
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not meta.get("name"):
        raise EscadreError("--nodes: a Node without metadata.name")
    name = meta["name"]
    if fault := object_fault(name) if isinstance(name, str) else "a text is meant":
        raise EscadreError(f"--nodes: Node {shown(name)}: metadata.name: {fault}")
    try:
        return NodeView.of({**body, "metadata": {"uid": "", "resourceVersion": "", **meta}})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EscadreError(
            f"--nodes: Node {meta['name']} is not as the API server writes it: a field is "
            "missing, or of another form"
        ) from error
