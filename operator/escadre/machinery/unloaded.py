"""Leaves out what another library would load only because it happens to be installed.

kopf imports the official client where it finds it, to know its types when it is handed one: 17 MB
for what nobody here hands to it. Called around that import.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

__all__ = ["left_out"]


@contextmanager
def left_out(name: str) -> Iterator[None]:
    """Within, importing ``name`` fails as if it were not installed; what is loaded stays so."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast("ModuleType", None)  # what the import system takes for "not there"
    try:
        yield
    finally:
        del sys.modules[name]
