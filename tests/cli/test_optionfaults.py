"""What is wrong with an option is told with what was typed, and in no library's words."""

import pytest
from tests.cli.harness import Program

LEGAL = "layout legal --model magistral-small-2509 --tensor-parallel 1"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("logs x --tail many", "'--tail': many is given; a whole number is meant"),
        (f"{LEGAL} --pipeline-parallel 0", "'--pipeline-parallel': 0 is less than 1, the least"),
        (f"{LEGAL} --pipeline-parallel 9999", "9999 is more than 1,024, the most there may be"),
        (f"{LEGAL} --pipeline-parallel 1.5", "1.5 is given; a whole number is meant"),
        ("simulate --users 1 --itl x", "'--itl': x is given; a number is meant"),
        ("simulate --users 1 --itl nan", "'--itl': a number is meant, and NaN is none"),
        ("plan -f x -o xml", "'-o' / '--output': 'xml' is not one of 'table', 'json', 'yaml'"),
        ("logs x --tail \x9b3m", r"'--tail': \x9b3m is given"),
        ("status -n Bad_Name", "'Bad_Name': a namespace has lower-case letters, digits and -"),
    ],
)
def test_a_wrong_value_is_told(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Program().run(*line.split())
    told = capsys.readouterr().err
    assert ran.code == 2
    assert f"Invalid value for {words}" in told or words in told
    assert "Input should" not in told
    assert "Value error" not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("layout", "legal", "--config", "", "--tensor-parallel", "1"), "argument after --config"),
        (("layout", "legal", "--config=", "--tensor-parallel", "1"), "--config is empty; is a"),
        (("approve", "draft", "--folder", ""), "the argument after --folder is empty"),
        (("mirror", "test", "internal", "--credentials", ""), "after --credentials is empty"),
        (("plan", "-f", "", "--nodes", "1 x 1 x L4"), "the argument after -f is empty"),
        (("simulate", "--users", "1", "--profile", ""), "the argument after --profile is empty"),
        (("status", ""), "the argument after status is empty; is a variable of the shell not set?"),
        (("",), "an argument is empty"),
    ],
)
def test_what_is_empty_is_no_value(arguments: tuple[str, ...], said: str) -> None:
    ran = Program().run(*arguments)
    assert (ran.code, said in ran.err) == (2, True), ran.err
