"""`escadre layout estimate`: the terms, their document, and what is asked wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import Program
from tests.cli.test_layout_legal import put, safetensors
from tests.core.weights.test_architecture import HF_SMALL_3, SMALL_3

FLAGS = {
    "--tensor-parallel": "1",
    "--max-model-len": "32768",
    "--max-num-seqs": "32",
    "--gpu-memory-utilization": "0.92",
    "--gpu": "NVIDIA-H100-80GB-HBM3",
    "--weights-bytes": "48022792280",
}


def line(path: Path, **given: str | None) -> list[str]:
    """The command with FLAGS, but what is ``given``; None leaves one out."""
    flags = FLAGS | {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    words = [word for flag in flags.items() if flag[1] is not None for word in flag]
    return ["layout", "estimate", "--config", str(path), *[str(word) for word in words if word]]


def estimated(path: Path, **given: str | None) -> dict[str, Any]:
    program = Program()
    ran = program.run(*line(path, **given), "-o", "json")
    answer: dict[str, Any] = json.loads(ran.out)
    assert ran.code == (0 if answer["fits"] else 1)
    assert program.targets == [], "no cluster is asked"
    return answer


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return put(tmp_path, "params.json", SMALL_3)


def test_a_share_may_be_written_without_its_zero(params: Path) -> None:
    assert estimated(params, gpu_memory_utilization=".92") == estimated(params)


def test_the_document_is_as_it_is_documented(params: Path) -> None:
    """The assistant of docs/use/how-it-decides.md, to the byte."""
    assert estimated(params) == {
        "weights": 48056346712,
        "kvCache": 27092201138,
        "activation": 2113929216,
        "graphs": 620756992,
        "nonTorch": 301989888,
        "visible": 84983939072,
        "usable": 78185223946,
        "kvTokens": 165328,
        "maxConcurrency": 5.04,
        "maxModelLenThatFits": 131072,
        "fits": True,
        "reason": None,
        "message": None,
        "maxNumBatchedTokens": 8192,
        "speed": {
            "prefillTokensPerSecond": 16869,
            "decodeStepSeconds": {
                "fixed": 0.0184828,
                "perRunning": 7.38503e-05,
                "perCachedToken": 5.43416e-08,
            },
        },
        "gpu": "NVIDIA-H100-80GB-HBM3",
        "notes": [],
    }


def test_the_speed_is_that_of_the_product_and_the_cache(params: Path) -> None:
    """Only a product has one; a cache in one byte is read in half the time."""
    whole, half = estimated(params)["speed"], estimated(params, kv_cache_dtype="fp8")["speed"]
    token = whole["decodeStepSeconds"]["perCachedToken"]
    assert half["decodeStepSeconds"]["perCachedToken"] == pytest.approx(token / 2, rel=1e-4)
    assert half["prefillTokensPerSecond"] == whole["prefillTokensPerSecond"]
    assert estimated(params, gpu=None, visible_memory="79.18")["speed"] is None
    assert estimated(params, tensor_parallel="3")["speed"] is None


def test_people_read_it_in_tokens_per_second(params: Path) -> None:
    said = " ".join(Program().run(*line(params)).out.split())
    assert "17,000 of a prompt; with 5,166 tokens in the cache 53 for one request alone" in said


def test_the_terms_fill_the_gpu(params: Path) -> None:
    for size in ("1", "2", "8"):
        told = estimated(params, tensor_parallel=size, max_num_seqs="256")
        terms = ("weights", "kvCache", "activation", "graphs", "nonTorch")
        assert sum(told[term] for term in terms) == told["usable"] < told["visible"]


def test_what_is_not_legal_has_the_same_members_without_numbers(params: Path) -> None:
    told, other = estimated(params, tensor_parallel="3"), estimated(params)
    assert list(told) == list(other)
    assert told["reason"] == "HeadsNotDivisible"
    assert "vLLM: ValueError: Total number of attention heads (32)" in told["message"]
    assert told["kvTokens"] is told["maxModelLenThatFits"] is told["weights"] is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"gpu": "L40S"}, "WeightsTooLarge"),
        ({"gpu": None, "visible_memory": "60"}, "CacheTooSmall"),
        ({"max_model_len": "131073"}, "ContextTooLong"),
        ({"gpu": "T4"}, "WeightsTooLarge"),
    ],
)
def test_what_does_not_fit_says_why(
    params: Path, given: dict[str, str | None], reason: str
) -> None:
    told = estimated(params, **{"max_model_len": "65536", **given})
    assert (told["fits"], told["reason"]) == (False, reason)
    assert told["message"]


def test_a_missing_cache_is_negative_and_holds_nothing(params: Path) -> None:
    told = estimated(params, gpu="L40S")
    assert told["kvCache"] < 0
    assert (told["kvTokens"], told["maxConcurrency"], told["maxModelLenThatFits"]) == (0, 0.0, 0)


def test_memory_as_torch_sees_it(params: Path) -> None:
    told = estimated(params, gpu=None, visible_memory="79.18")
    assert (told["visible"], told["gpu"]) == (7918 * (1 << 30) // 100, None)


def test_an_utilisation_that_the_operator_lowers_is_said(params: Path) -> None:
    told = estimated(params, gpu=None, visible_memory="22", tensor_parallel="4")
    assert told["usable"] == 22 * (1 << 30) * 92 // 100, "as it was given"
    assert told["notes"] == [note for note in told["notes"] if "gives 0.90" in note]
    assert len(told["notes"]) == 1


def test_sequences_and_tokens_of_a_step(params: Path) -> None:
    few, many = estimated(params), estimated(params, max_num_batched_tokens="32768")
    assert many["activation"] > few["activation"]
    assert many["maxNumBatchedTokens"] == 32768


def test_bytes_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "config.json", HF_SMALL_3)
    index = {"metadata": {"total_size": 48_000_000_000}, "weight_map": {"w": "model.safetensors"}}
    put(tmp_path, "model.safetensors.index.json", index)
    of_index = estimated(tmp_path, weights_bytes=None)
    assert 48_000_000_000 < of_index["weights"] < 48_100_000_000
    safetensors(tmp_path, "model.safetensors", size=4096)
    of_headers = estimated(tmp_path, weights_bytes=None)
    assert of_headers["weights"] == of_index["weights"] - 48_000_000_000 + 4096


def test_text_only_leaves_the_encoder_out(tmp_path: Path) -> None:
    put(tmp_path, "params.json", SMALL_3)
    safetensors(tmp_path, "consolidated-1.safetensors", name="layers.0", size=4096)
    safetensors(tmp_path, "consolidated-2.safetensors", name="vision_encoder.0", size=1024)
    whole = estimated(tmp_path, weights_bytes=None)
    program = Program()
    ran = program.run(*line(tmp_path, weights_bytes=None), "--text-only", "-o", "json")
    text = json.loads(ran.out)
    assert text["weights"] == whole["weights"] - 1024
    assert text["activation"] < whole["activation"]


def test_the_heads_of_an_encoder_left_out_divide_all_the_same(params: Path) -> None:
    ran = Program().run(*line(params, tensor_parallel="32"), "--text-only", "-o", "json")
    told = json.loads(ran.out)
    assert (ran.code, told["fits"], told["weights"]) == (1, False, None)
    assert "vision encoder" in told["message"]


@pytest.mark.parametrize(
    ("name", "less"),
    [
        ("mistral-small-3-2-24b-instruct-2506", 800_000_000),
        ("voxtral-small-24b-2507", 1_258_000_000),
        ("mistral-7b-v0-3", 0),
    ],
)
def test_text_only_of_a_published_model(name: str, less: int) -> None:
    asked = line(Path(), weights_bytes=None)
    at = asked.index("--config")
    asked = [*asked[:at], "--model", name, *asked[at + 2 :]]
    whole = json.loads(Program().run(*asked, "-o", "json").out)
    text = json.loads(Program().run(*asked, "--text-only", "-o", "json").out)
    assert whole["weights"] - text["weights"] == less
    assert text["activation"] <= whole["activation"]


@pytest.mark.parametrize("gpu", ["H100", "L40S"])
def test_on_80_columns_nothing_is_cut(params: Path, gpu: str) -> None:
    out = Program(width=80).run(*line(params, gpu=gpu)).out
    assert max(len(words) for words in out.splitlines()) <= 80
    assert "…" not in out
    assert "CUDA graphs  620.8 MB" in out
    assert ("fits" in out.splitlines()[0]) == (gpu == "H100")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gpu": None}, "one of the two"),
        ({"visible_memory": "79"}, "one of the two"),
        ({"gpu": "Voodoo"}, "no such product is known here"),
        (
            {"gpu": None, "visible_memory": "0"},
            "--visible-memory 0: GiB as torch sees them, like 79.18, are meant\n",
        ),
        (
            {"gpu_memory_utilization": "92"},
            "92: a share above 0, at most 1, in digits is meant, like 0.92\n",
        ),
        (
            {"gpu_memory_utilization": "nan"},
            "n: a share above 0, at most 1, in digits is meant, like 0.92\n",
        ),
        ({"weights_bytes": None}, "give --weights-bytes"),
        (
            {"weights_bytes": "48"},
            "--weights-bytes 48: the dimensions of the model make about 45,801,799,680",
        ),
        ({"max_num_batched_tokens": "16"}, "vLLM refuses less than --max-num-seqs, which is 32"),
    ],
)
def test_what_is_asked_wrongly(params: Path, given: dict[str, str | None], words: str) -> None:
    ran = Program().run(*line(params, **given))
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_bytes_beside_those_of_the_files_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "params.json", SMALL_3)
    safetensors(tmp_path, "consolidated.safetensors")
    ran = Program().run(*line(tmp_path))
    assert ran.code == 2
    assert "--weights-bytes 48022792280: the 64 bytes of the model are known; leave" in ran.err


def test_bytes_beside_those_of_the_catalog_are_refused() -> None:
    given = line(Path("none"), weights_bytes="12")
    at = given.index("--config")
    model = ("--model", "mistral-small-3-2-24b-instruct-2506")
    ran = Program().run(*given[:at], *model, *given[at + 2 :])
    assert ran.code == 2
    assert "--weights-bytes 12: the 48,020,000,000 bytes of the model are known; leave" in ran.err


def test_an_engine_version_decides_how_long_a_context_may_be(tmp_path: Path) -> None:
    yarn = {"factor": 16, "original_max_position_embeddings": 8192}
    given = {"max_model_len": "40000", "max_num_seqs": "1", "tensor_parallel": "2"}
    path = put(tmp_path, "params.json", {**SMALL_3, "max_position_embeddings": 32768, "yarn": yarn})
    assert estimated(path, **given)["reason"] == "ContextTooLong"
    old = estimated(path, **given, engine_version="0.29")
    assert (old["fits"], old["notes"]) == (True, [])
    newer = estimated(path, **given, engine_version="1.0")
    assert newer["reason"] == "ContextTooLong"
    assert newer["notes"][0].startswith("vLLM 1.0 is not known here; it is judged as 0.32")


def test_heads_of_sound_divide_also_without_the_encoder(tmp_path: Path) -> None:
    encoder = {"whisper_model_args": {"encoder_args": {"n_heads": 20}}}
    path = put(tmp_path, "params.json", {**SMALL_3, "vision_encoder": None, "multimodal": encoder})
    refused = estimated(path, tensor_parallel="8")
    assert refused["reason"] == "HeadsNotDivisible"
    assert "20 attention heads of the audio encoder" in refused["message"]
    assert Program().run(*line(path, tensor_parallel="8"), "--text-only").code == 1
    assert Program().run(*line(path, tensor_parallel="4"), "--text-only").code == 0


@pytest.mark.parametrize("kind", ["fp8", "fp8_e4m3", "fp8_e5m2"])
def test_a_cache_of_bytes_holds_twice_the_tokens(params: Path, kind: str) -> None:
    usual, small = estimated(params), estimated(params, kv_cache_dtype=kind)
    assert small["kvCache"] == usual["kvCache"]
    blocks = usual["kvTokens"] // 16 + 1  # vLLM keeps one for itself
    assert small["kvTokens"] // 16 + 1 in {2 * blocks, 2 * blocks + 1}
    assert estimated(params, kv_cache_dtype="bfloat16") == usual


def test_a_cache_of_another_kind_is_not_counted(params: Path) -> None:
    ran = Program().run(*line(params, kv_cache_dtype="nvfp4"))
    assert (ran.code, ran.out) == (2, "")


def test_another_version_is_counted_with_its_own_terms(tmp_path: Path) -> None:
    """VLLM 0.19 took 2.1 GiB beside torch on two H100, 0.11 a sampler of 38 bytes an entry."""
    path = put(tmp_path, "params.json", SMALL_3)
    flags = {"tensor_parallel": "2", "max_num_seqs": "1024"}
    old, middle, new = (
        estimated(path, **flags, engine_version=version) for version in ("0.11", "0.19", "0.32")
    )
    assert old["nonTorch"] < middle["nonTorch"] == new["nonTorch"]
    assert old["activation"] > middle["activation"] > new["activation"]
    assert old["graphs"] == middle["graphs"] == 0 < new["graphs"]


def test_stages_share_the_layers_and_the_tightest_is_shown(params: Path) -> None:
    one, two = estimated(params), estimated(params, pipeline_parallel="2")
    assert two["weights"] > one["weights"] // 2
    assert two["kvTokens"] > 2 * one["kvTokens"]
    ran = Program().run(*line(params, pipeline_parallel="2", tensor_parallel="2"))
    assert "on 4 × NVIDIA-H100-80GB-HBM3" in ran.out


def test_more_stages_than_layers_are_no_layout(params: Path) -> None:
    told = estimated(params, pipeline_parallel="41")
    assert (told["reason"], told["weights"]) == ("PipelineNotSupported", None)
