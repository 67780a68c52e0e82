"""The tiny checkpoint: real formats, bytes decided by the seed."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from e2e.engine.checkpoint import FILES, Shape, padded, tensors, write_checkpoint
from mistral_common.tokens.tokenizers.tekken import Tekkenizer


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "consolidated.safetensors").read_bytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    model: Path, tmp_path: Path
) -> None:
    again = write_checkpoint(tmp_path / "again")
    other = write_checkpoint(tmp_path / "other", seed=1)
    assert sorted(path.name for path in again.iterdir()) == sorted(FILES)
    assert _digest(again) == _digest(model)
    assert _digest(other) != _digest(model)


def test_bytes_stay_what_they_were(model: Path) -> None:
    assert _digest(model) == "a74edd834160dadbd7366c2e02330f933988e41c7496e739159a8f6d435d3e10"


def test_the_header_describes_bfloat16_tensors_that_cover_the_file(model: Path) -> None:
    content = (model / "consolidated.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__")
    assert {entry["dtype"] for entry in header.values()} == {"BF16"}
    assert {name: tuple(entry["shape"]) for name, entry in header.items()} == dict(tensors(Shape()))
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(content) - 8 - length


def test_the_tokenizer_is_mistrals_and_as_large_as_the_vocabulary(model: Path) -> None:
    tokenizer = Tekkenizer.from_file(model / "tekken.json")
    params = json.loads((model / "params.json").read_text())
    assert tokenizer.n_words == params["vocab_size"]
    text = "Bonjour, escadre !"
    assert tokenizer.decode(tokenizer.encode(text, bos=True, eos=False)) == text


@pytest.mark.parametrize("parallel", [1, 2, 4, 8])
def test_every_small_tensor_parallel_size_divides_the_shape(parallel: int) -> None:
    for shape in (Shape(), padded(Shape(), 200)):
        assert shape.n_heads % parallel == 0
        assert shape.n_kv_heads % parallel == 0
        assert shape.hidden_dim % parallel == 0


def test_padding_reaches_the_size_and_leaves_the_kv_cache_alone(tmp_path: Path) -> None:
    shape = padded(Shape(), 24)
    size = (write_checkpoint(tmp_path, shape=shape) / "consolidated.safetensors").stat().st_size
    assert 24 << 20 <= size < 30 << 20
    assert (shape.n_layers, shape.n_kv_heads) == (Shape().n_layers, Shape().n_kv_heads)


def test_a_vocabulary_that_tekken_cannot_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vocab_size 1100 is outside 1256"):
        write_checkpoint(tmp_path, shape=Shape(vocab_size=1100))
