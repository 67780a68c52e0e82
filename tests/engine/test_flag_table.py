"""e2e/engine/oracle/flags.py: a version more in the table of flags."""

from e2e.engine.oracle.flags import added, written

from escadre.engineflags import Row, rows

KNOWN = (
    Row(("--seed",), "1", "allowed", 11, None),
    Row(("--swap-space",), "float", "plan", 11, None),
    Row(("--task",), "1", "plan", 11, 12),
    Row(("--uds",), "1", "socket", 12, None),
)


def test_what_stays_is_left_and_what_went_gets_its_end() -> None:
    table = added(KNOWN, 14, ["--seed 1", "--uds 1"])
    assert [written(row) for row in table] == [
        "--seed 1 allowed 0.11-",
        "--swap-space float plan 0.11-0.13",
        "--task 1 plan 0.11-0.12",
        "--uds 1 socket 0.12-",
    ]


def test_what_is_new_has_no_verdict_and_what_takes_another_word_keeps_its() -> None:
    table = added(KNOWN, 14, ["--seed int", "--swap-space float", "--uds,-u 1", "--new 0"])
    assert [written(row) for row in table if row.since == 14] == [
        "--new 0 new 0.14-",
        "--seed int allowed 0.14-",
        "--uds,-u 1 socket 0.14-",
    ]
    assert "--seed 1 allowed 0.11-0.13" in [written(row) for row in table]


def test_what_comes_back_keeps_its_verdict() -> None:
    (back,) = [row for row in added(KNOWN, 14, ["--task 1"]) if row.since == 14]
    assert back.verdict == "plan"


def test_the_same_version_once_more_changes_nothing() -> None:
    newest = [f"{','.join(row.names)} {row.follows}" for row in rows() if row.until is None]
    assert added(rows(), 33, newest) == rows()
