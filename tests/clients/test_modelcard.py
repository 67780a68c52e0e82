"""Model cards as repositories have them."""

import pytest

from escadre.clients.modelcard import CardLicence, licence_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("---\nlicense: apache-2.0\n---\n# M", CardLicence("apache-2.0"), id="plain"),
        pytest.param(
            "---\nlicense: other\nlicense_name: mrl\n---\n", CardLicence("other", "mrl"), id="other"
        ),
        pytest.param("# M", None, id="no metadata"),
        pytest.param("", None, id="empty"),
        pytest.param("---\nlicense: [a, b]\n---\n", None, id="a list"),
        pytest.param("---\n- a\n---\n", None, id="no map"),
        pytest.param("---\nlicense: a: b\n---\n", None, id="no YAML"),
        pytest.param("---\nlicense: 7\n---\n", None, id="a number"),
    ],
)
def test_the_licence_is_read(
    text: str, found: CardLicence | None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert licence_of(text) == found
    assert capfd.readouterr() == ("", "")
