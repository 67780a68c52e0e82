"""A tekken.json held against what mistral-common 1.13 refuses when an engine starts with it.

The same rules as its Tekkenizer.from_file, told with their place. Not checked: whether tiktoken
takes the pattern, sound that comes as a stream, and the settings of reasoning. Called by the
drafting tool before anything is hashed. Pure.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part
from escadre.core.weights.tokenizernames import VERSIONS
from escadre.fieldfaults import shown

__all__ = ["check_tekken"]

_FILE: Final = "tekken.json"
_BYTES: Final = 256  # the first entries are the bytes themselves
_ENTRY: Final = frozenset({"rank", "token_bytes", "token_str"})
_DEFAULT_SPECIALS: Final = 20  # that up to v7 stand for a list of their own
_LAST_WITHOUT_SPECIALS: Final = "v7"
_LAST_MULTIMODAL: Final = "v11"
_FIRST_WITH_SETTINGS: Final = "v15"
_IMAGE: Final = ("image_patch_size", "max_image_size")
_AUDIO: Final = ("sampling_rate", "frame_rate")
_SPECTROGRAM: Final = ("num_mel_bins", "hop_length", "window_size")
_MOST: Final = 1e9  # of a size, rate or count
_FILLER: Final = "<SPECIAL_{}>"


def check_tekken(document: Mapping[str, object]) -> None:
    """Raises IntakeError naming the field that mistral-common would end at."""
    config = Part(_FILE, document).part("config")
    if not config:
        raise IntakeError(f"{_FILE}: config is missing")
    version = config.text("version")
    if version not in VERSIONS:
        raise IntakeError(
            f"{config.where}: version is {version[:40] or 'missing'}, and mistral-common knows "
            f"{', '.join(VERSIONS)}",
            "take the file from the model's own repository; a version that is newer than these "
            "needs a newer engine, and a newer Escadre to draft it",
        )
    _check_members(document, version)
    if not config.text("pattern"):
        raise IntakeError(f"{config.where}: pattern is missing")
    special = config.number("default_num_special_tokens")
    size = config.number("default_vocab_size")
    _check_special(document.get("special_tokens"), special, version)
    vocab = document.get("vocab")
    if not isinstance(vocab, list):
        raise IntakeError(f"{_FILE}: vocab is no list of tokens")
    inner = size - special
    if not _BYTES <= inner <= len(vocab):
        raise IntakeError(
            f"{_FILE}: default_vocab_size {size:,} less default_num_special_tokens {special:,} is "
            f"{inner:,}, and vocab holds {len(vocab):,} tokens"
        )
    _check_vocab(vocab[:inner])


def _check_members(document: Mapping[str, object], version: str) -> None:
    order = VERSIONS.index(version)
    if document.get("multimodal") and order > VERSIONS.index(_LAST_MULTIMODAL):
        raise IntakeError(f"{_FILE}: multimodal is called image from v13 on, and this is {version}")
    settings = document.get("model_settings_builder")
    if settings is not None and order < VERSIONS.index(_FIRST_WITH_SETTINGS):
        raise IntakeError(
            f"{_FILE}: model_settings_builder belongs to {_FIRST_WITH_SETTINGS} and later, and "
            f"this is {version}"
        )
    file = Part(_FILE, document)
    if image := file.part("multimodal") or file.part("image"):
        _positive(image, *_IMAGE)
        if "spatial_merge_size" in image.facts:
            _positive(image, "spatial_merge_size")
    if audio := file.part("audio"):
        (_, hop, _) = _positive(audio.part("audio_encoding_config"), *_SPECTROGRAM)
        (sampling, frames) = _positive(audio, *_AUDIO)
        if sampling // frames < hop:
            raise IntakeError(
                f"{audio.where}: {sampling:g} samples a second are less than a hop of {hop:g} for "
                f"each of {frames:g} frames"
            )


def _positive(part: Part, *names: str) -> list[float]:
    numbers = []
    for name in names:
        value = part.facts.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST:
            raise IntakeError(f"{part.where}: {name} is {shown(value)}, not a number above 0")
        numbers.append(float(value))
    return numbers


def _check_special(tokens: object, count: int, version: str) -> None:
    if tokens is None:
        if VERSIONS.index(version) > VERSIONS.index(_LAST_WITHOUT_SPECIALS):
            raise IntakeError(f"{_FILE}: special_tokens is missing, which {version} needs")
        if count < _DEFAULT_SPECIALS:
            raise IntakeError(
                f"{_FILE}: default_num_special_tokens is {count}; without a list there are "
                f"{_DEFAULT_SPECIALS}"
            )
        return
    if not isinstance(tokens, list) or not all(map(_is_special, tokens)):
        raise IntakeError(f"{_FILE}: special_tokens is no list of objects with rank and token_str")
    texts = [token["token_str"] for token in tokens]
    fillers = [_FILLER.format(number) for number in range(len(texts), count)]
    if len(texts) > count or len({*texts, *fillers}) != count:
        raise IntakeError(
            f"{_FILE}: special_tokens are {len(texts)}, of which {len(set(texts))} differ, and "
            f"default_num_special_tokens is {count}"
        )


def _is_special(token: object) -> bool:
    return (
        isinstance(token, dict)
        and isinstance(token.get("token_str"), str)
        and type(token.get("rank")) is int
    )


def _check_vocab(vocab: Sequence[object]) -> None:
    seen: dict[bytes, int] = {}
    for rank, token in enumerate(vocab):
        content = _content(rank, token)
        if rank < _BYTES and content != bytes([rank]):
            raise IntakeError(f"{_FILE}: vocab[{rank}] is not the byte {rank}")
        twin = seen.setdefault(content, rank)
        if twin != rank:
            raise IntakeError(f"{_FILE}: vocab[{rank}] and vocab[{twin}] are the same bytes")


def _content(rank: int, token: object) -> bytes:
    if not isinstance(token, dict) or token.keys() != _ENTRY:
        raise IntakeError(
            f"{_FILE}: vocab[{rank}] is not described by rank, token_bytes and token_str alone"
        )
    if type(token["rank"]) is not int or token["rank"] != rank:
        raise IntakeError(f"{_FILE}: vocab[{rank}] has the rank {str(token['rank'])[:20]}")
    try:
        return base64.b64decode(token["token_bytes"], validate=True)
    except (TypeError, ValueError) as error:
        raise IntakeError(f"{_FILE}: vocab[{rank}]: token_bytes is not base64") from error
