"""Numbers in the words of a terminal."""

import pytest

from escadre.cli.shared.words import bytes_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_049_999, "1.0 MB"),
        (1_250_000_000, "1.3 GB"),
        (78_149_999_999, "78.1 GB"),
        (78_150_000_000, "78.2 GB"),
        (2 * 10**12, "2.0 TB"),
        (5 * 10**18, "5000.0 PB"),
    ],
)
def test_bytes_are_rounded_as_in_the_planner_s_messages(amount: int, text: str) -> None:
    assert bytes_text(amount) == text
