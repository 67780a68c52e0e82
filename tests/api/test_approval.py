"""Names that auditors read: refused blank when they are written, read where they are stored."""

import pytest
from tests.cli.world import approval

from escadre.api.approval import ModelApprovalSpec
from escadre.api.base import NOT_BLANK
from escadre.api.schema import structural


@pytest.mark.parametrize("name", [" ", "\u00a0"])
def test_a_blank_name_that_an_older_crd_let_in_is_read(name: str) -> None:
    """What runs with the approval goes on, and it can be revoked."""
    spec = approval()["spec"]
    licence = {**spec["licence"], "acceptedBy": name, "contract": name}
    read = ModelApprovalSpec.model_validate({**spec, "requestedBy": name, "licence": licence})
    assert (read.requested_by, read.licence.accepted_by, read.licence.contract) == (name,) * 3


def test_the_api_server_refuses_it() -> None:
    schema = structural(ModelApprovalSpec, people=True)["properties"]
    licence = schema["licence"]["properties"]
    for field in (schema["requestedBy"], licence["acceptedBy"], licence["contract"]):
        assert field["x-kubernetes-validations"] == [
            {"rule": r"self.matches('\\S')", "message": NOT_BLANK}
        ]
