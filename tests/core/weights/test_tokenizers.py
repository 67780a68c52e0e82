"""Tokenizers, held against mistral-common, which an engine loads them with."""

import base64
import copy
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from mistral_common.tokens.tokenizers.sentencepiece import is_sentencepiece
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from mistral_common.tokens.tokenizers.utils import get_one_valid_tokenizer_file
from sentencepiece import SentencePieceProcessor

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.sentencepiece import check_sentencepiece, pieces_of
from escadre.core.weights.tekken import check_tekken
from escadre.core.weights.tokenizernames import VERSIONS, choose_tokenizer, version_of

DATA = Path(str(files("mistral_common"))) / "data"
SHIPPED = {
    "v1": "tokenizer.model.v1",
    "v2": "mistral_instruct_tokenizer_240216.model.v2",
    "v3": "mistral_instruct_tokenizer_240323.model.v3",
    "v7": "mistral_instruct_tokenizer_241114.model.v7",
    "v7m1": "mistral_instruct_tokenizer_241114.model.v7m1",
}


def test_the_versions_are_the_library_s() -> None:
    assert tuple(TokenizerVersion.__members__) == VERSIONS


@pytest.mark.parametrize(
    "name",
    [*(f"tokenizer.model.{v}{m}" for v in (*VERSIONS, "v4", "v99", "x") for m in ("", "m1", "m2"))],
)
def test_a_name_says_the_version_that_the_library_reads(name: str, tmp_path: Path) -> None:
    """But for what it reads and then cannot use: from v13 on there is only tekken.json."""
    (tmp_path / name).touch()
    known = is_sentencepiece(tmp_path / name) and "v13" not in name and "v15" not in name
    assert bool(version_of(name)) == known


@pytest.mark.parametrize(
    "present",
    [
        ["tekken.json", "tokenizer.model.v3"],
        ["tokenizer.model.v3", "tokenizer.model.v7"],
        ["tokenizer.model.v11", "tokenizer.model.v3", "tokenizer.model.v7m1"],
        ["tokenizer.model", "tokenizer.model.v3"],
    ],
)
def test_of_several_the_one_is_drafted_that_the_library_would_take(present: list[str]) -> None:
    chosen, kind = choose_tokenizer(present, mistral=True)
    assert (chosen, kind) == ([get_one_valid_tokenizer_file(present)], "mistral")


@pytest.mark.parametrize(
    ("present", "mistral", "says"),
    [
        pytest.param([], True, "no tokenizer", id="none"),
        pytest.param(["tekken_240911.json"], True, "does not look at tekken_24", id="near"),
        pytest.param(["tokenizer.model.v4"], True, "knows v1, v2, v3, v7, v11", id="no version"),
        pytest.param(["tokenizer.model.v13"], False, "knows v1, v2", id="only as tekken"),
        pytest.param(["tokenizer.model"], True, "would be read as v1", id="without a version"),
    ],
)
def test_a_name_that_the_library_does_not_take_is_refused(
    present: list[str], mistral: bool, says: str
) -> None:
    with pytest.raises(IntakeError, match=says):
        choose_tokenizer(present, mistral=mistral)


def test_the_other_layout_goes_by_its_own_names() -> None:
    """Loaded by another library, from tokenizer_config.json."""
    chosen, kind = choose_tokenizer(["tokenizer.model", "tokenizer_config.json"], mistral=False)
    assert (chosen, kind) == (["tokenizer.model", "tokenizer_config.json"], "huggingface")


@pytest.mark.parametrize("version", SHIPPED)
def test_pieces_are_read_as_the_library_reads_them(version: str) -> None:
    path = DATA / SHIPPED[version]
    library = SentencePieceProcessor(model_file=str(path))
    pieces = list(pieces_of("t", path.read_bytes()))
    assert pieces == [library.id_to_piece(number) for number in range(library.vocab_size())]
    check_sentencepiece("t", path.read_bytes(), version.removesuffix("m1"))


@pytest.mark.parametrize(
    ("held", "name", "says"),
    [
        pytest.param("v3", "v1", r"holds the control piece \[INST\]", id="renamed to v1"),
        pytest.param("v1", "v3", r"lacks \[INST\], \[/INST\], \[TOOL_CALLS\] and 4", id="v1 as v3"),
        pytest.param("v3", "v7", r"lacks \[SYSTEM_PROMPT\]", id="v3 as v7"),
        pytest.param("v7", "v11", r"lacks \[ARGS\], \[CALL_ID\]", id="v7 as v11"),
    ],
)
def test_pieces_of_another_version_than_the_name_s_are_refused(
    held: str, name: str, says: str
) -> None:
    with pytest.raises(IntakeError, match=says):
        check_sentencepiece("t", (DATA / SHIPPED[held]).read_bytes(), name)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x0a\x00", b"\x0a\x7f", b"\xff" * 20])
def test_what_is_no_sentencepiece_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model.v3"
    path.write_bytes(content)
    with pytest.raises(RuntimeError):
        SentencePieceProcessor(model_file=str(path))
    with pytest.raises(IntakeError):
        check_sentencepiece("t", content, "v3")


@given(st.binary(max_size=200))
def test_no_bytes_end_in_another_error(content: bytes) -> None:
    try:
        check_sentencepiece("t", content, "v3")
    except IntakeError:
        return


def small(version: str = "v3", **changes: Any) -> dict[str, Any]:
    """A tekken.json of the 256 bytes and four pairs, with 24 special tokens."""
    texts = [bytes([n]) for n in range(256)] + [b"th", b"he", b"in", b"er"]
    vocab = [
        {"rank": n, "token_bytes": base64.b64encode(text).decode(), "token_str": None}
        for n, text in enumerate(texts)
    ]
    special = [
        {"rank": n, "token_str": token["token_str"], "is_control": True}
        for n, token in enumerate(Tekkenizer.DEPRECATED_SPECIAL_TOKENS)
    ]
    config = {
        "pattern": r"[a-z]+|.",
        "num_vocab_tokens": 260,
        "default_vocab_size": 284,
        "default_num_special_tokens": 24,
        "version": version,
    }
    return {"config": config, "vocab": vocab, "special_tokens": special, **changes}


def loads(document: object, folder: Path) -> bool:
    path = folder / "tekken.json"
    path.write_text(json.dumps(document))
    try:
        Tekkenizer.from_file(path)
    except Exception:  # noqa: BLE001 - whatever it ends with, the engine ends with
        return False
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_a_tekken_file_of_each_version_passes(version: str, tmp_path: Path) -> None:
    check_tekken(small(version))
    assert loads(small(version), tmp_path)


IMAGE = {"image_patch_size": 16, "max_image_size": 1024}
SPECTROGRAM = {"num_mel_bins": 128, "hop_length": 160, "window_size": 400}
AUDIO = {"sampling_rate": 16000, "frame_rate": 12.5, "audio_encoding_config": SPECTROGRAM}


def test_images_and_sound_pass(tmp_path: Path) -> None:
    for document in (small(image={**IMAGE, "spatial_merge_size": 2}), small("v7", audio=AUDIO)):
        check_tekken(document)
        assert loads(document, tmp_path)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = copy.deepcopy(small())
    change(document)
    return document


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param({}, "config is missing", id="empty"),
        pytest.param(small(config=[1]), r"config is no object: \[1\]", id="config a list"),
        pytest.param(small("v99"), "version is v99, and mistral-common knows", id="version"),
        pytest.param(changed(lambda d: d["config"].pop("version")), "missing", id="no version"),
        pytest.param(changed(lambda d: d["config"].pop("pattern")), "pattern", id="no pattern"),
        pytest.param(
            changed(lambda d: d["config"].pop("default_vocab_size")),
            "default_vocab_size is missing",
            id="no size",
        ),
        pytest.param(
            changed(lambda d: d["config"].update(default_vocab_size="284")),
            "default_vocab_size is not a whole number",
            id="size a text",
        ),
        pytest.param(
            changed(lambda d: d["config"].update(default_vocab_size=300)),
            "is 276, and vocab holds 260",
            id="more than there are",
        ),
        pytest.param(small(vocab={}), "vocab is no list", id="vocab an object"),
        pytest.param(
            changed(lambda d: d["vocab"][3].pop("rank")), r"vocab\[3\] is not desc", id="no rank"
        ),
        pytest.param(
            changed(lambda d: d["vocab"][3].update(rank=4)), "has the rank 4", id="another rank"
        ),
        pytest.param(
            changed(lambda d: d["vocab"][3].update(token_bytes="!")), "not base64", id="no base64"
        ),
        pytest.param(
            changed(lambda d: d["vocab"][3].update(token_bytes="AAA=")), "not the byte", id="byte"
        ),
        pytest.param(
            changed(lambda d: d["vocab"][257].update(token_bytes="dGg=")),
            r"vocab\[257\] and vocab\[256\] are the same bytes",
            id="twice",
        ),
        pytest.param(small("v11", special_tokens=None), "which v11 needs", id="no special tokens"),
        pytest.param(
            changed(lambda d: d["special_tokens"][3].update(token_str="<s>")),
            "are 20, of which 19 differ",
            id="special token twice",
        ),
        pytest.param(
            changed(lambda d: d["config"].update(default_num_special_tokens=8)),
            "are 20, of which 20 differ, and default_num_special_tokens is 8",
            id="too many special tokens",
        ),
        pytest.param(small(special_tokens=[1]), "special_tokens is no list", id="of numbers"),
        pytest.param(
            small("v13", multimodal={"image_patch_size": 16, "max_image_size": 1024}),
            "called image from v13 on",
            id="an old name",
        ),
        pytest.param(small(model_settings_builder={}), "belongs to v15", id="settings too early"),
        pytest.param(small(image=[1]), "image is no object", id="image a list"),
        pytest.param(
            small(image={**IMAGE, "max_image_size": 0}), "max_image_size is 0", id="no size"
        ),
        pytest.param(
            small(multimodal={"image_patch_size": 16}), "max_image_size is null", id="old image"
        ),
        pytest.param(
            small(image={**IMAGE, "spatial_merge_size": "2"}), 'merge_size is "2", not', id="a text"
        ),
        pytest.param(small(audio={**AUDIO, "frame_rate": None}), "frame_rate is null", id="sound"),
        pytest.param(
            small(audio={**AUDIO, "frame_rate": float("inf")}),
            "frame_rate is Infinity",
            id="no end",
        ),
        pytest.param(
            small(audio={**AUDIO, "audio_encoding_config": {"num_mel_bins": 128}}),
            "audio_encoding_config: hop_length is null",
            id="spectrogram",
        ),
    ],
)
def test_what_ends_the_library_is_refused_with_its_place(
    document: dict[str, Any], says: str, tmp_path: Path
) -> None:
    assert not loads(document, tmp_path)
    with pytest.raises(IntakeError, match=rf"^tekken\.json: .*{says}"):
        check_tekken(document)


JSON = st.none() | st.booleans() | st.integers(-1, 300) | st.sampled_from(["", "v1", "x", [], {}])
PLACES = st.sampled_from(
    [
        ("config",),
        ("vocab",),
        ("special_tokens",),
        *(("config", name) for name in small()["config"]),
        *(("vocab", n, name) for n in (0, 255, 259) for name in ("rank", "token_bytes", "x")),
        *(("special_tokens", n, name) for n in (0, 19) for name in ("rank", "token_str")),
        ("image",),
        *(("image", name) for name in (*IMAGE, "spatial_merge_size")),
        ("audio",),
        *(("audio", name) for name in AUDIO),
        *(("audio", "audio_encoding_config", name) for name in SPECTROGRAM),
    ]
)


@given(PLACES, JSON)
def test_what_passes_loads(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str | int, ...], value: Any
) -> None:
    document: Any = copy.deepcopy(small(image=IMAGE, audio=AUDIO))
    part = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    try:
        check_tekken(document)
    except IntakeError:
        return
    assert loads(document, tmp_path_factory.getbasetemp())


def test_the_shipped_files_pass() -> None:
    for path in DATA.glob("tekken*.json"):
        check_tekken(json.loads(path.read_bytes()))
    assert MistralTokenizer.from_file(str(DATA / SHIPPED["v3"])).version == "v3"
