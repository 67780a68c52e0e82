"""The stand-in's command line is vLLM's."""

import shlex

import pytest
from e2e.engine.standin.flags import parse_flags


def test_the_flags_of_an_engine_pod_are_understood() -> None:
    line = (
        "--model /models/weights --host 0.0.0.0 --port 8000 --tensor-parallel-size 2 "
        "--pipeline-parallel-size 1 --max-model-len 32768 --max-num-seqs 32 "
        "--max-num-batched-tokens 8192 --gpu-memory-utilization 0.9 "
        "--served-model-name assistant mistralai/Tiny --tokenizer-mode mistral "
        "--config-format mistral --load-format mistral --shutdown-timeout 30 "
        "--enforce-eager --no-enable-log-requests --limit-mm-per-prompt {} --seed 1"
    )
    options = parse_flags(shlex.split(line))
    assert options.model == "/models/weights"
    assert options.served_model_names == ("assistant", "mistralai/Tiny")
    assert (options.tensor_parallel_size, options.max_num_seqs) == (2, 32)
    assert (options.max_model_len, options.shutdown_timeout) == (32768, 30)


def test_the_model_may_stand_first_and_serve_before_it() -> None:
    assert parse_flags(["serve", "/m"]).model == "/m"
    assert parse_flags(["/m"]).served_model_names == ("/m",)


def test_the_beginning_of_a_name_stands_for_it_and_keys_make_an_object() -> None:
    words = ["--max-num-seq", "4", "--limit_mm_per_prompt.image=2", "--limit-mm-per-prompt.audio"]
    assert parse_flags(["/m", *words, "1", "--seed=3"]).max_num_seqs == 4


@pytest.mark.parametrize(
    ("word", "length"), [("8k", 8000), ("8K", 8192), ("4096", 4096), ("auto", None)]
)
def test_lengths_are_written_as_people_do(word: str, length: int | None) -> None:
    assert parse_flags(["/m", "--max_model_len", word]).max_model_len == length


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--swap-space", "4"], "unrecognized arguments: --swap-space 4"),
        (["--max-log", "4"], "ambiguous option: --max-log could match --max-log-len, --max-logp"),
        (["--no-such.key=4"], 'unrecognized arguments: --no-such {"key": "4"}'),
        (["--max-num-seqs", "many"], "argument --max-num-seqs: invalid int value: 'many'"),
        (["--dtype", "int4"], "argument --dtype: invalid choice: 'int4'"),
        (["--port"], "argument --port: expected one argument"),
    ],
)
def test_what_vllm_does_not_know_ends_with_status_2(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parse_flags(["/m", *flags])
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_a_model_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse_flags(["--port", "1"])
    assert raised.value.code == 2
    assert "model_tag" in capsys.readouterr().err
