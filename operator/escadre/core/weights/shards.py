"""Whether the weights are whole: shards by their numbers, the index, and tensors by their names.

An engine loads what it finds: with Mistral's format a layer that is in no file keeps the values it
was made with, and a tensor that is in two files is the one that was read last. Nothing fails then,
the answers are wrong. Called by the drafting tool before anything is hashed. Pure.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from escadre.core.listing import listed
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.safetensors import Tensor
from escadre.fieldfaults import shown

__all__ = [
    "check_layers",
    "file_faults",
    "index_faults",
    "numbering_faults",
    "read_index",
    "tensor_faults",
]

_NAMED: Final = 3  # names in a message
_NUMBERED: Final = re.compile(r"(.*)-([0-9]{1,6})-of-([0-9]{1,6})\.safetensors")
_WHOLE: Final = "copy all files of the same revision, then draft again"
# Of the text model, in both layouts; encoders have layers of their own under other names.
_LAYER: Final = re.compile(
    r"(?:model\.|language_model\.|language_model\.model\.|model\.language_model\.)?"
    r"layers\.([0-9]{1,6})\."
)

Tensors = Mapping[str, Sequence[Tensor]]  # by file


def numbering_faults(weights: Sequence[str]) -> Iterator[IntakeError]:
    """Files that are numbered 1 to n of n, where some of them lack."""
    totals: dict[tuple[str, str], set[int]] = defaultdict(set)
    for path in weights:
        if match := _NUMBERED.fullmatch(path):
            totals[match[1], match[3]].add(int(match[2]))
    for (stem, total), numbers in sorted(totals.items()):
        count = int(total)
        lacking = [n for n in range(1, min(count, len(numbers) + 1000) + 1) if n not in numbers]
        if not lacking:
            continue
        names = [f"{stem}-{number:0{len(total)}}-of-{total}.safetensors" for number in lacking]
        whole = count - len(numbers & set(range(1, count + 1)))
        yield IntakeError(
            f"of {count} shards {stem}-*-of-{total}.safetensors {whole} "
            f"{'is' if whole == 1 else 'are'} missing: {listed(names, _NAMED, whole=whole)}",
            _WHOLE,
        )


def read_index(path: str, index: Mapping[str, object]) -> Mapping[str, str]:
    """File by tensor; raises IntakeError naming the entry that is none."""
    mapped = index.get("weight_map")
    if not isinstance(mapped, dict) or not mapped:
        raise IntakeError(f"{path}: weight_map is no object with files by tensor", _WHOLE)
    for tensor, file in mapped.items():
        if not isinstance(file, str):
            raise IntakeError(
                f"{path}: weight_map: {tensor[:80]} is {shown(file)}, not the name of a file"
            )
    return mapped


def file_faults(
    path: str, index: Mapping[str, str], weights: Collection[str]
) -> Iterator[IntakeError]:
    """Where the index at ``path`` (file by tensor) names other files than the weights there are."""
    if lacking := sorted(set(index.values()) - set(weights)):
        yield IntakeError(
            f"{path} names {listed(lacking, _NAMED)}, which "
            f"{'is' if len(lacking) == 1 else 'are'} not among the weight files",
            _WHOLE,
        )
    if unnamed := sorted(set(weights) - set(index.values())):
        yield IntakeError(f"{path} does not name {listed(unnamed, _NAMED)}, which is there", _WHOLE)


def index_faults(path: str, index: Mapping[str, str], held: Tensors) -> Iterator[IntakeError]:
    """Tensors that the index at ``path`` promises, and that are nowhere or in another file.

    A tensor more than the index names is none: engines load the files, and the header describes it.
    """
    place = {tensor.name: file for file in sorted(held) for tensor in held[file]}
    elsewhere = (name for name in index.keys() & place.keys() if index[name] != place[name])
    for about, names in (
        ("maps tensors that no file holds", index.keys() - place.keys()),
        ("maps tensors to another file than the one that holds them", elsewhere),
    ):
        if ordered := sorted(names):
            yield IntakeError(f"{path} {about}: {listed(ordered, _NAMED)}", _WHOLE)


def tensor_faults(held: Tensors) -> Iterator[IntakeError]:
    """Tensors that stand in two files."""
    first: dict[str, str] = {}
    twice: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in sorted(held):
        for tensor in held[file]:
            other = first.setdefault(tensor.name, file)
            if other != file:
                twice[other, file].append(tensor.name)
    for (one, other), names in sorted(twice.items()):
        yield IntakeError(
            f"{one} and {other} both hold {listed(sorted(names), _NAMED)}: which of them an engine "
            "takes is chance",
            "keep the files of one set of shards, then draft again",
        )


def check_layers(config: str, layers: int, held: Tensors) -> None:
    """Raises IntakeError where layers that the configuration counts have no tensor at all.

    Names of another architecture than is known here are let be: then no layer is found.
    """
    found = {
        int(match[1])
        for tensors in held.values()
        for tensor in tensors
        if (match := _LAYER.match(tensor.name))
    }
    lacking = [str(number) for number in range(layers) if number not in found]
    if found and lacking:
        raise IntakeError(
            f"{config} counts {layers} layers, and no file holds a tensor of "
            f"{'layer' if len(lacking) == 1 else 'layers'} {listed(lacking, _NAMED)}",
            _WHOLE,
        )
