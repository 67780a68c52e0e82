"""Image table: which local program stands for which container image.

The runner pulls nothing. A YAML file given with ``RunnerConfig.images`` adds to and overrides the
table below::

    escadre.test/vllm:
      entrypoint: [/path/to/vllm, serve]
      environment: {HF_HUB_OFFLINE: "1"}
      binds: [/path/to/environment]     # folders of this machine that the container sees, read-only
      user: 65532                       # the image's own user, when the pod names none
      fake: false                       # true: Ready without any process

A key is a full image reference or one without tag and digest; the full one wins.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.config import REPOSITORY

__all__ = ["Image", "ImageTable", "bare_name"]

_KEYS = {"entrypoint", "environment", "binds", "user", "fake", "folder"}


@dataclass(frozen=True, slots=True)
class Image:
    """What runs for an image."""

    entrypoint: tuple[str, ...]
    environment: dict[str, str]
    binds: tuple[str, ...]
    user: int
    folder: str
    fake: bool


def bare_name(reference: str) -> str:
    """An image reference without tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


# Without links: a link on the way to it need not be there in a container.
_ENVIRONMENT = Path(sys.prefix).resolve()


def _builtin() -> dict[str, dict[str, Any]]:
    programs = _ENVIRONMENT / "bin"
    python = str(programs / "python")
    here = {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'operator'}"}
    return {
        "escadre.test/escadre": {"entrypoint": [str(programs / "escadre")], "user": 65532},
        "escadre.test/vllm": {
            "entrypoint": [python, "-m", "e2e.engine.standin"],
            "folder": str(REPOSITORY),  # a pod may have a PYTHONPATH of its own
            # It lingers after a drain as vLLM does, for 10 s: too long for each case of a suite.
            "environment": {"STANDIN_LINGER_SECONDS": "0.5"},
        },
        "escadre.test/python": {"entrypoint": [python], "environment": here},
        "escadre.test/shell": {"entrypoint": ["/bin/sh"]},
        "escadre.test/fake": {"entrypoint": [], "fake": True},
    }


class ImageTable:
    """The built-in table with one file over it, read again when the file changes."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._modified = 0
        self._table = _builtin()

    @property
    def source(self) -> str:
        """Where a reader would add an image."""
        return str(self._file or Path(__file__).name)

    def find(self, reference: str) -> Image | None:
        """The program for an image reference, None when the table has none."""
        self._refresh()
        entry = self._table.get(reference) or self._table.get(bare_name(reference))
        if entry is None:
            return None
        binds = (str(REPOSITORY), str(_ENVIRONMENT), sys.base_prefix, *entry.get("binds", ()))
        path = f"{_ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return Image(
            entrypoint=tuple(entry.get("entrypoint", ())),
            environment={"PATH": path} | entry.get("environment", {}),
            binds=binds,
            user=int(entry.get("user", 0)),
            folder=entry.get("folder", "/"),
            fake=bool(entry.get("fake", False)),
        )

    def _refresh(self) -> None:
        if self._file is None:
            return
        modified = self._file.stat().st_mtime_ns
        if modified == self._modified:
            return
        table: dict[str, dict[str, Any]] = yaml.safe_load(self._file.read_text()) or {}
        for name, entry in table.items():
            if unknown := set(entry) - _KEYS:
                raise ValueError(f"{self._file}: image {name}: unknown keys {sorted(unknown)}")
        self._table = _builtin() | table
        self._modified = modified
