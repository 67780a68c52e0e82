"""escadre/reasons: every reason is complete, called as its constant, and found by its name."""

import re

import pytest

from escadre import reasons
from escadre.reasons import REASONS, Kind, Reason, Severity, of

LISTED = [pytest.param(reason, id=reason.name) for reason in REASONS.values()]


@pytest.mark.parametrize("reason", LISTED)
def test_each_reason_is_a_word_with_a_meaning_and_a_next_step(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", reason.name)
    assert reason.meaning.endswith(".")
    assert reason.advice.endswith(".")


@pytest.mark.parametrize("reason", LISTED)
def test_each_reason_is_called_as_its_constant(reason: Reason) -> None:
    (constant,) = (name for name, value in vars(reasons).items() if value is reason)
    assert constant.replace("_", "").lower() == reason.name.lower()


@pytest.mark.parametrize("reason", LISTED)
def test_whose_move_it_is_is_said_where_somebody_has_to_move(reason: Reason) -> None:
    somebody = reason.kind in {Kind.MOVE, Kind.INCIDENT}
    assert not somebody or (reason.owners and reason.next_step)
    assert reason.kind is not Kind.SETTLED or not reason.owners


@pytest.mark.parametrize("reason", LISTED)
def test_severity_says_what_the_kind_says(reason: Reason) -> None:
    quiet = reason.kind in {Kind.SETTLED, Kind.UNDER_WAY}
    assert (reason.severity is Severity.INFO) is quiet
    assert reason.severity.event_type == ("Normal" if quiet else "Warning")


def test_a_name_is_its_record_again() -> None:
    assert of("NoLayoutFits") is reasons.NO_LAYOUT_FITS
    assert f"{reasons.NO_LAYOUT_FITS}: none" == "NoLayoutFits: none"


def test_a_name_of_a_newer_version_is_passed_on_and_asks_for_someone() -> None:
    reason = of("DiskOnFire")
    assert (reason.name, reason.listed, reason.kind) == ("DiskOnFire", False, Kind.MOVE)
    assert reason.who == "the platform team"
    assert reason == of("DiskOnFire")


def test_an_incident_is_a_matter_of_all_its_owners() -> None:
    assert reasons.DIGEST_MISMATCH.who == "security, and whoever runs the mirror"
    assert reasons.NO_LAYOUT_FITS.who == "whoever owns the deployment, or the platform team"
