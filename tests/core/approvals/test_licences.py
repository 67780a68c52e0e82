"""Two licences: the one that people name, and the one in the model's card."""

import pytest

from escadre.core.approvals.licences import contradiction


@pytest.mark.parametrize(
    ("spdx", "card", "name"),
    [
        pytest.param("Apache-2.0", "apache-2.0", "", id="the same"),
        pytest.param("LicenseRef-MRL", "other", "mrl", id="one that SPDX does not have"),
    ],
)
def test_they_agree(spdx: str, card: str, name: str) -> None:
    assert contradiction(spdx, card, name) == ""


@pytest.mark.parametrize(
    ("spdx", "card", "name", "says"),
    [
        pytest.param("Apache-2.0", "other", "mrl", "licence other (mrl), and", id="not free"),
        pytest.param("MIT", "apache-2.0", "", "licence apache-2.0, and --licence MIT", id="two"),
        pytest.param("LicenseRef-X", "mit", "", "licence mit, and", id="a card that is freer"),
    ],
)
def test_they_differ(spdx: str, card: str, name: str, says: str) -> None:
    assert says in contradiction(spdx, card, name)
