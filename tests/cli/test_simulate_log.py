"""The request log of `escadre simulate --trace`: what is wrong is named, by line and field."""

import csv
from pathlib import Path

import pytest
from tests.cli.simulating import HEADER, MODEL, log, simulate


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("noon,1,1", "line 3: TIMESTAMP: 'noon' is given; seconds are meant"),
        ("nan,1,1", "line 3: TIMESTAMP: 'nan' is given"),
        ("inf,1,1", "line 3: TIMESTAMP: 'inf' is given"),
        ("1700000000000,1,1", "line 3: TIMESTAMP: '1700000000000' is given; seconds are meant"),
        ("1e300,1,1", "(milliseconds: divide them by 1,000)"),
        ("2023-13-01 00:00:00,1,1", "line 3: TIMESTAMP: '2023-13-01 00:00:00' is given"),
        ("1,0,1", "line 3: ContextTokens: '0' is given; a whole number from 1 to 10,000,000"),
        ("1,-4,1", "line 3: ContextTokens: '-4' is given"),
        ("1,1,1.5", "line 3: GeneratedTokens: '1.5' is given"),
        ("1,1,99999999999", "line 3: GeneratedTokens: '99999999999' is given"),
        ("1,1,", "line 3: GeneratedTokens: '' is given"),
        ("1,1", "line 3: GeneratedTokens is missing: the line is shorter than the header"),
        ("1,1,234,56", "line 3: it is longer than the header; a comma within a number or a text"),
        ('1,1,"1', "line 4: not CSV"),
        ("99999999999,1,1", "line 3: TIMESTAMP: 1,157,408 days after line 2; 92 at most"),
        ("-99999999,1,1", "line 3: TIMESTAMP: 1,158 days before line 2; 92 at most"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(tmp_path: Path, line: str, said: str) -> None:
    ran = simulate("--trace", log(tmp_path, "0,1,1", line, "1,1,1"), "--profile", MODEL)
    assert (ran.code, said in ran.err) == (3, True), ran.err


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("when,ContextTokens,GeneratedTokens", "line 1: no column TIMESTAMP, arrived_at,"),
        (
            "TIMESTAMP,time,ContextTokens,GeneratedTokens",
            "line 1: TIMESTAMP and time are both given",
        ),
        ("time,ContextTokens,time,GeneratedTokens", "line 1: time and time are both given"),
        ("TIMESTAMP,GeneratedTokens", "line 1: no column ContextTokens,"),
        ("", "line 1: it is blank; CSV with a header is meant, e.g. time,"),
        ('{"time": 0}', "CSV with a header is meant, e.g. time,"),
        (HEADER.replace(",", ";"), "line 1: its fields are parted by semicolons; commas are meant"),
        (HEADER.replace(",", "\t"), "line 1: its fields are parted by tabs; commas are meant"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: str, said: str) -> None:
    ran = simulate("--trace", log(tmp_path, "0,1,1", header=header), "--profile", MODEL)
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_spaces_after_commas_are_none_of_the_names(tmp_path: Path) -> None:
    trace = log(tmp_path, "0, 10, 5", header=HEADER.replace(",", ", "))
    assert simulate("--trace", trace, "--profile", MODEL).code == 0


def test_spaces_before_commas_are_none_of_the_names_either(tmp_path: Path) -> None:
    trace = log(tmp_path, "0 ,10 ,5 ", header=HEADER.replace(",", " ,") + " ")
    assert simulate("--trace", trace, "--profile", MODEL).code == 0


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_line_is_a_line_of_the_file_whatever_stands_in_its_texts(
    tmp_path: Path, sign: str, quote: str
) -> None:
    lines = [f"0,1,1,{quote}one{sign}two{quote}", "1,1,1,three", "2,0,1,four"]
    trace = log(tmp_path, *lines, header=f"{HEADER},prompt")
    ran = simulate("--trace", trace, "--profile", MODEL)
    assert "line 4: ContextTokens: '0' is given" in ran.err


def test_a_field_may_be_as_long_as_a_prompt(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    trace = log(tmp_path, f'0,1,1,"{"x" * 2 * before}"', header=f"{HEADER},prompt")
    assert simulate("--trace", trace, "--profile", MODEL).code == 0
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n"])
def test_an_empty_file_says_what_is_meant(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    ran = simulate("--trace", str(path), "--profile", MODEL)
    said = "log.csv is empty; CSV with a header is meant, e.g. time,prompt_tokens,completion_tokens"
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_files_that_are_no_logs(tmp_path: Path) -> None:
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(b"\x1f\x8b\x08\x00\xff\xfe")
    said = simulate("--trace", str(packed), "--profile", MODEL).err
    assert f"--trace {packed} is packed with gzip; unpack it first" in said
    packed.write_bytes("time,prompt_tokens,completion_tokens\n0,1,1\n".encode("utf-16"))
    said = simulate("--trace", str(packed), "--profile", MODEL).err
    assert f"--trace {packed} is text in UTF-16, as PowerShell's > writes it; save it as" in said
    assert "no request" in simulate("--trace", log(tmp_path), "--profile", MODEL).err


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
@pytest.mark.parametrize("option", ["--trace", "--deployment"])
def test_a_file_that_cannot_be_read_is_refused_alike(
    tmp_path: Path, option: str, name: str
) -> None:
    given = {"--trace": log(tmp_path, "0,1,1"), "--deployment": str(tmp_path / "wish.yaml")}
    given[option] = str(tmp_path / name)
    if option == "--trace":
        given.pop("--deployment")
        given["--profile"] = MODEL
    ran = simulate(*(word for pair in given.items() for word in pair))
    assert (ran.code, option in ran.err) == (3, True), ran.err
