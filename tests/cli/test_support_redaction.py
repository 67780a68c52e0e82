"""What a support bundle may tell: no value of a known secret survives, and what helps does."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.cli.support.contents import files_of
from escadre.cli.support.found import Found
from escadre.cli.support.reader import Gap
from escadre.cli.support.redaction import REMOVED, Redactor, secrets_in

Json = dict[str, Any]
SECRET = "s3cr3t-Value_91"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param(f"getting https://bob:{SECRET}@mirror/x: 401", "@mirror/x: 401", id="a user"),
        pytest.param(f"GET http://m/a?sig={SECRET}&x=1 failed", "http://m/a?", id="a query"),
        pytest.param(f"see http://m/a#{SECRET} ", "http://m/a#", id="a fragment"),
        pytest.param(f"Authorization: Bearer {SECRET}", "Authorization: ", id="a header"),
        pytest.param(f'{{"authorization":"Basic {SECRET}"}}', '{"authorization":', id="in JSON"),
        pytest.param(f"header 'Bearer {SECRET}' refused", "refused", id="a bearer alone"),
        pytest.param(f"password={SECRET}, user=bob", " user=bob", id="a pair"),
        pytest.param(f"password={SECRET[:3]},{SECRET} user=bob", " user=bob", id="with a comma"),
        pytest.param(f'"api_key": "{SECRET}", "n": 1', ', "n": 1', id="a quoted pair"),
        pytest.param(f"--api-key={SECRET} --port=1", "--port=1", id="a flag"),
        pytest.param(f"HF_TOKEN: {SECRET}\nkeep: me", "keep: me", id="YAML"),
        pytest.param(f"OPENAI_KEY={SECRET}", "OPENAI_KEY=", id="a key by its ending"),
        pytest.param(f'"{{\\"token\\": \\"{SECRET}\\"}}"', "token", id="JSON in JSON"),
        pytest.param(
            f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----\nrest",
            "rest",
            id="a private key",
        ),
        pytest.param(f"eyJhbGciOiJSUzI1.{SECRET}.abc left", "left", id="a JSON web token"),
        pytest.param(
            f"hf_{SECRET.replace('-', '').replace('_', '')}AAAAAAAA left", "left", id="hf"
        ),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, kept: str) -> None:
    told = Redactor().text(text)
    assert SECRET not in told
    assert REMOVED in told
    assert kept in told


@pytest.mark.parametrize(
    "text",
    [
        "Secret escadre-system/hub, which the ModelMirror names, is not among those",
        "needed 131,072 tokens; 576,716 tokens a replica",
        "getting http://mirror/org/model/resolve/0123/w.safetensors: HTTP 404",
        "image registry/vllm@sha256:1234567890abcdef",
        "wrong or expired token",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert Redactor().text(text) == text
    assert Redactor().log(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"Authorization: Bearer {SECRET}\n", "Authorization: (redacted)\n"),
        (f"token: {SECRET}\nrest", "token: (redacted)\nrest"),
        (f'{{"password":"{SECRET}","n":1}}', '{"password":"(redacted)","n":1}'),
        (f"https://u:{SECRET}@h/p?token={SECRET}.", "https://(redacted)@h/p?(redacted)"),
    ],
)
def test_it_leaves_a_readable_text_whether_the_value_is_known_or_not(text: str, told: str) -> None:
    assert Redactor().text(text) == told
    assert Redactor([SECRET]).text(text) == told
    assert Redactor().text(told) == told


def test_a_line_that_may_hold_a_prompt_is_left_out_of_logs() -> None:
    told = Redactor().log('first\nTraceback: prompt=\'my diary\'\n{"messages": ["hi"]}\nlast')
    assert told.startswith("first\n(a line")
    assert told.endswith("last")
    assert "diary" not in told
    assert "hi" not in told


def _in_variable(secret: str) -> Json:
    return {"env": [{"name": "HF_TOKEN", "value": secret}]}


def _in_any_variable(secret: str) -> Json:
    return {"env": [{"name": "ANYTHING", "value": secret}]}


def _in_map_of_variables(secret: str) -> Json:
    return {"engine": {"env": {"ANYTHING": secret}}}


def _in_annotation(secret: str) -> Json:
    return {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied": secret}}}


def _in_field(secret: str) -> Json:
    return {"spec": {"password": secret}}


def _in_arguments(secret: str) -> Json:
    return {"args": ["--api-key", secret, "--port", "1"]}


def _in_secret(secret: str) -> Json:
    return {"kind": "Secret", "data": {"x": secret}, "metadata": {"name": "n"}}


def _in_message(secret: str) -> Json:
    return {"message": f"line\nprompt: {secret}"}


def _in_list(secret: str) -> Json:
    return {"items": [{"deep": [{"clientSecret": secret}]}]}


def _in_list_of_them(secret: str) -> Json:
    return {"apiKey": [secret, "another"]}


HIDDEN: list[Callable[[str], Json]] = [
    _in_variable,
    _in_any_variable,
    _in_map_of_variables,
    _in_annotation,
    _in_field,
    _in_arguments,
    _in_secret,
    _in_message,
    _in_list,
    _in_list_of_them,
]
secrets = st.text(
    alphabet=st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="()"),
    min_size=8,
    max_size=40,
).map(lambda text: f"Zq{text}Xw")


@given(secrets, st.sampled_from(HIDDEN))
def test_no_object_tells_a_secret(secret: str, where: Callable[[str], Json]) -> None:
    told = json.dumps(Redactor().object(where(secret)), ensure_ascii=False)
    assert secret not in told
    assert json.dumps(secret, ensure_ascii=False)[1:-1] not in told


@given(secrets, st.text(max_size=30), st.text(max_size=30))
def test_no_value_of_a_known_secret_survives_anywhere(secret: str, before: str, after: str) -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": secret}]}]},
        "status": {"reason": f"{before}{secret}{after}"},
    }
    found = Found(
        versions={"x": secret},
        objects={"pods": [pod]},
        logs={"n/p/c.log": f"{before}{secret}{after}"},
        views={"status.txt": f"{secret}\n"},
        settings=f"engine:\n  note: {json.dumps(secret)}\n",
    )
    files = files_of(found, [Gap("x", f"{before}{secret}")])
    for path, content in files.items():
        text = content.decode()
        assert secret not in text, path
        assert json.dumps(secret, ensure_ascii=False)[1:-1] not in text, path


def test_known_secrets_are_those_under_a_secret_s_name_and_in_urls() -> None:
    env = {"name": "A_TOKEN", "value": "one"}
    found = secrets_in({"env": [env], "x": [{"password": "two"}], "y": "see http://u:three@h/p"})
    assert set(found) == {"one", "two", "three"}


def test_a_long_line_of_one_word_costs_no_more_than_others() -> None:
    def cost(text: str) -> float:
        began = time.process_time()
        Redactor([SECRET]).log(text)
        return time.process_time() - began

    words = cost("a word " * 30_000)
    assert cost("w" * 210_000) < 50 * words + 0.5
