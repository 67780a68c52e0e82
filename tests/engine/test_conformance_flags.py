"""The flags of an engine as its own parser takes them, and as engine.extraArgs is judged."""

import argparse
import json
import subprocess
from typing import Any

from e2e.engine.standin.flags import make_parser, parse_words
from e2e.engine.vllm.install import environment_folder
from tests.engine.engines import Kind

from escadre.engineflags import flags_for

FLAGS = flags_for(None)

_ASK = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
known = parser._option_string_actions
words, lines = json.load(sys.stdin)
taken = {word: [word] if word in known else [one[1] for one in parser._get_option_tuples(word)]
         for word in words}
takes = {name: action.nargs == 0 for name, action in known.items()}
read = []
for line in lines:
    try:
        read.append({"limits": parser.parse_args(["/m", *line]).limit_mm_per_prompt})
    except SystemExit:
        read.append(None)
json.dump([taken, takes, read], sys.stdout)
"""
_PLAIN = "--config=/nowhere.yaml"  # only as two words it is a file to read


def _asked(kind: Kind, words: list[str], lines: list[list[str]]) -> Any:
    """What the parser takes each word for, which flags take nothing, what it reads of each line."""
    if kind.real:
        python = environment_folder() / "bin" / "python"
        command = [str(python), "-c", _ASK]
        done = subprocess.run(
            command, input=json.dumps([words, lines]).encode(), capture_output=True, check=True
        )
        return json.loads(done.stdout[done.stdout.index(b"[{") :])
    parser = make_parser()
    known = parser._option_string_actions
    taken = {
        word: [word] if word in known else [str(one[1]) for one in _options(parser, word)]
        for word in words
    }
    takes = {name: action.nargs == 0 for name, action in known.items()}
    return [taken, takes, [_read(line) for line in lines]]


def _options(parser: argparse.ArgumentParser, word: str) -> list[Any]:
    found: list[Any] = parser._get_option_tuples(word)
    return found


def _read(line: list[str]) -> dict[str, Any] | None:
    try:
        text = parse_words(["/m", *line])["limit_mm_per_prompt"]
    except SystemExit:
        return None
    return {"limits": {} if text is None else json.loads(text)}


def test_every_beginning_of_a_flag_is_taken_as_we_judge_it(kind: Kind) -> None:
    words = sorted({name[:size] for name in FLAGS.named for size in range(3, len(name) + 1)})
    taken, takes, _ = _asked(kind, words, [])
    ours = {word: sorted(FLAGS.meanings(word)) for word in words}
    theirs = {word: sorted(set(taken[word]) - {"--help"}) for word in words}
    assert {w: (ours[w], theirs[w]) for w in words if ours[w] != theirs[w]} == {}
    assert {name for name in takes if name.startswith("--")} - {"--help"} == set(FLAGS.named)
    without = {name for name, flag in FLAGS.named.items() if flag.follows == "0"}
    assert {name for name, nothing in takes.items() if nothing} & set(FLAGS.named) == without


def test_lines_that_it_reads(kind: Kind) -> None:
    lines = [["--seed=1"], ["--enable-prefix-c"], ["--limit_mm_per_prompt.image=2"], [_PLAIN]]
    assert None not in _asked(kind, [], lines)[2]


def test_a_key_on_its_own_replaces_the_object(kind: Kind) -> None:
    whole, key = '--limit-mm-per-prompt={"image": 2}', "--limit-mm-per-prompt.video=1"
    read = _asked(kind, [], [[whole, key], [key, whole]])[2]
    assert [set(one["limits"]) for one in read] == [{"video"}, {"video"}]
    assert "so write the key into it" in "".join(FLAGS.clashes([whole, key]))
    assert FLAGS.clashes([whole]) == FLAGS.clashes([key, "--limit-mm-per-prompt.image=2"]) == []


def test_what_it_does_not_read_is_refused_before(kind: Kind) -> None:
    words = ["--no-such=1", "--max-log=1", "--enforce-eager=1", "--seed.a=1", "--seed", "--x.y=1"]
    assert _asked(kind, [], [[word] for word in words])[2] == [None] * len(words)
    assert all(FLAGS.refusal(word) for word in words)
