"""Versions of vLLM: what differs between them, and which is taken for one that is not known."""

import pytest

from escadre.core.profile import DEFAULT_PROFILE, profile_for
from escadre.engineflags import ENGINE_VERSION


def test_the_operator_s_version_is_the_default() -> None:
    assert DEFAULT_PROFILE.version == ENGINE_VERSION
    assert profile_for(ENGINE_VERSION).profile is DEFAULT_PROFILE
    assert profile_for(None).profile is DEFAULT_PROFILE


@pytest.mark.parametrize("version", ["0.32", "0.32.1", "v0.32.0", " 0.32.0rc1 ", "0.32.0+cpu"])
def test_a_version_may_be_written_in_full(version: str) -> None:
    assert (profile_for(version).profile.version, profile_for(version).note) == ("0.32", "")


@pytest.mark.parametrize(
    ("version", "taken", "which"),
    [
        ("0.33.0", "0.32", "nearest older"),
        ("1.0", "0.32", "nearest older"),
        ("0.9.2", "0.11", "oldest"),
    ],
)
def test_a_version_that_is_not_known_is_said(version: str, taken: str, which: str) -> None:
    found = profile_for(version)
    assert found.profile.version == taken
    assert found.note.startswith(f"vLLM {version} is not known here; it is judged as {taken}, the ")
    assert which in found.note


@pytest.mark.parametrize("version", ["", "32", "latest", "0.32.", "0.x", "0.32.1 beta", "-0.32"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=r"like 0\.32"):
        profile_for(version)


@pytest.mark.parametrize(
    ("method", "first", "last"),
    [
        ("bitsandbytes", 11, 27),
        ("gguf", 11, 23),
        ("hqq", 11, 13),
        ("fp_quant", 12, 13),
        ("experts_int8", 20, 32),
        ("modelopt_mixed", 17, 32),
        ("awq", 11, 32),
        ("gptq", 11, 32),
        ("compressed-tensors", 11, 32),
        ("fp8", 11, 32),
        ("fbgemm_fp8", 11, 13),
    ],
)
def test_methods_come_and_go(method: str, first: int, last: int) -> None:
    """As the lists of all these versions have them; experts_int8 went with 0.14 and came back."""
    served = [
        minor
        for minor in range(14 if method == "experts_int8" else 11, 33)
        if method in profile_for(f"0.{minor}").profile.quantization
    ]
    assert served == list(range(first, last + 1))


def test_since_0_30_yarn_no_longer_lengthens_the_context() -> None:
    assert profile_for("0.29.3").profile.stretches_yarn
    assert not profile_for("0.30.0").profile.stretches_yarn
