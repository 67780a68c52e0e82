"""The settings file: what is refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from escadre import reasons
from escadre.errors import EscadreError, Refusal
from escadre.settings import LEAST_CAP, load

IMAGE = "registry.example/vllm@sha256:" + "e" * 64


def written(folder: Path, **engine: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"engine": {"image": IMAGE, **engine}}))
    return path


def refused(path: Path) -> str:
    with pytest.raises(Refusal) as caught:
        load(path)
    assert caught.value.reason == reasons.INVALID_SPEC
    return caught.value.message


def test_defaults_need_nothing_but_the_image(tmp_path: Path) -> None:
    assert load(written(tmp_path)).engine.drain_seconds is None


def test_a_file_that_is_not_there_is_no_wrong_field(tmp_path: Path) -> None:
    with pytest.raises(
        EscadreError, match=r"reading settings .*none\.yaml: No such file"
    ) as caught:
        load(tmp_path / "none.yaml")
    assert not isinstance(caught.value, Refusal)


def test_settings_are_an_object(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("[1]\n")
    assert refused(path) == f"settings {path}: [1] is given; an object with fields is meant"


def test_a_flag_that_escadre_sets_is_refused_with_its_reason(tmp_path: Path) -> None:
    message = refused(written(tmp_path, extraArgs=["--seed=1", "--max-model-l=9"]))
    assert "engine.extraArgs" in message
    assert (
        "--max-model-l (for vLLM --max-model-len) must not be given: escadre sets it from the plan "
        "and the approval" in message
    )


def test_an_object_and_a_key_of_it_are_not_given_apart(tmp_path: Path) -> None:
    words = ['--limit-mm-per-prompt={"image":2}', "--limit-mm-per-p.video=1"]
    assert "--limit-mm-per-prompt is given as an object and by a key: vLLM 0.32 drops the" in (
        refused(written(tmp_path, extraArgs=words))
    )


def test_a_flag_that_the_engine_s_version_lacks_is_refused_with_both(tmp_path: Path) -> None:
    message = refused(written(tmp_path, version="0.19.1", extraArgs=["--linear-backend=auto"]))
    assert "engine.extraArgs" in message
    assert "--linear-backend: vLLM 0.19 has no such flag; it came with 0.22" in message
    unknown = refused(written(tmp_path, version="0.40.1", extraArgs=["--no-such=1"]))
    assert unknown.endswith(
        "--no-such: vLLM 0.32 has no such flag; vLLM 0.40.1 is not known here, and the flags of "
        "0.32 count"
    )
    newer = load(written(tmp_path, version="0.22.1", extraArgs=["--linear-backend=auto"]))
    assert newer.engine.extra_args == ["--linear-backend=auto"]


def test_flags_that_change_nothing_planned_pass(tmp_path: Path) -> None:
    settings = load(written(tmp_path, extraArgs=["--enable-prefix-caching", "--seed=1"]))
    assert settings.engine.extra_args[1] == "--seed=1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("engine: [", "not YAML", id="not-yaml"),
        pytest.param(
            "namespace: a\nnamespace: b\n",
            "config.yaml, line 2, column 1: namespace stands here again, after line 1",
            id="a-key-twice",
        ),
        pytest.param("engine: {}", "engine.image: is missing", id="no-image"),
        pytest.param(
            "engine: 5", "engine: 5 is given; an object with fields is meant", id="a-number"
        ),
        pytest.param("engine: {image: vllm:latest}", "engine.image", id="image-by-tag"),
        pytest.param(
            f"engine: {{image: '{IMAGE}', version: latest}}", "engine.version", id="no-version"
        ),
        pytest.param(f"engine: {{image: '{IMAGE}', speed: 9}}", "engine.speed", id="unknown"),
    ],
)
def test_a_file_that_cannot_be_used_names_the_field(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    message = refused(path)
    assert words in message
    assert str(path) in message


def with_cap(folder: Path, cap: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        yaml.safe_dump({"engine": {"image": IMAGE}, "agent": {"maxBytesPerSecond": cap}})
    )
    return path


@pytest.mark.parametrize("cap", [1, LEAST_CAP - 1])
def test_a_cap_under_which_no_pull_ends_is_refused(tmp_path: Path, cap: int) -> None:
    message = refused(with_cap(tmp_path, cap))
    assert "agent.maxBytesPerSecond" in message
    assert f"{cap:,} bytes per second; 1,000,000 is the least" in message


@pytest.mark.parametrize("cap", [0, LEAST_CAP])
def test_no_cap_and_the_least_are_taken(tmp_path: Path, cap: int) -> None:
    assert load(with_cap(tmp_path, cap)).agent.max_bytes_per_second == cap
