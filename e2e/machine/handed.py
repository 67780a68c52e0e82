"""What a bare machine is given by this one: the way to packages, as an administrator sets it up.

Package sources and their keys, clients' settings, proxies, own certificates, name resolution; no
program and no package. Called by ``bare``; nothing here knows a host by name.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["acquire_settings", "hand_in", "handed_variables", "package_source"]

_FILES: Final = (
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "etc/apt/keyrings",
    "etc/apt/auth.conf.d",
    "usr/share/keyrings",
    "usr/local/share/ca-certificates",
    "etc/pip.conf",
    "etc/hosts",
    "etc/resolv.conf",
)
_HOME_FILES: Final = (".config/pip", ".pip", ".config/go/env")
_VARIABLES: Final = re.compile(
    r"(?i:https?|ftp|all|no)_(?i:proxy)|PIP_\w+|GO(PROXY|SUMDB|NOSUMDB|NOPROXY|PRIVATE|INSECURE)"
)
_SETTING: Final = re.compile(r"Acquire::(https?|ftp|Check|Retries|Proxy)\S* \".*\";")


def handed_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which pip, Go and apt find their way out."""
    return {name: one for name, one in environment.items() if _VARIABLES.fullmatch(name)}


def acquire_settings(dump: str) -> str:
    """From ``apt-config dump``: how apt fetches; its hooks and caches stay behind."""
    return "".join(f"{line}\n" for line in dump.splitlines() if _SETTING.fullmatch(line))


def package_source() -> tuple[str, str]:
    """Name of this machine's release and the address of its main package source."""
    found = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("/etc/os-release names no release: this needs Debian or Ubuntu")
    release = found[1]
    columns = ["--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    for line in _output("apt-get", "indextargets", *columns).splitlines():
        name, component, address = line.split()
        if (name, component) == (release, "main"):
            return release, address
    raise RuntimeError(f"apt has no source for {release}: see /etc/apt/sources.list")


def hand_in(root: Path) -> None:
    """Give the machine below ``root`` what it needs to reach packages."""
    for name in _FILES:
        _copy(Path("/") / name, root / name)
    for name in _HOME_FILES:
        _copy(Path.home() / name, root / "root" / name)
    settings = acquire_settings(_output("apt-config", "dump"))
    (root / "etc/apt/apt.conf.d/90handed").write_text(settings)
    for left in ("var/lib/apt/lists", "var/cache/apt/archives"):  # of debootstrap
        shutil.rmtree(root / left)
        (root / left / "partial").mkdir(parents=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.unlink(missing_ok=True)
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _output(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"}
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
