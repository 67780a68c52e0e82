"""machinery/unloaded.py: a library that is not asked for, for as long as an import of another."""

import importlib
import sys

import pytest

from escadre.machinery.unloaded import left_out


def test_it_is_not_there_within_and_there_again_after() -> None:
    sys.modules.pop("colorsys", None)
    with left_out("colorsys"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").__name__ == "colorsys"


def test_what_is_loaded_stays() -> None:
    before = importlib.import_module("colorsys")
    with left_out("colorsys"):
        assert importlib.import_module("colorsys") is before
    assert sys.modules["colorsys"] is before


def test_it_is_there_again_also_after_a_failure() -> None:
    sys.modules.pop("colorsys", None)
    with pytest.raises(RuntimeError), left_out("colorsys"):
        raise RuntimeError
    assert "colorsys" not in sys.modules
