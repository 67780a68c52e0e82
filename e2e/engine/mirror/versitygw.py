"""A real S3 store over a folder: each folder below its root is a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.engine.mirror.served import served
from e2e.engine.ports import free_port

__all__ = ["versitygw"]


@contextmanager
def versitygw(program: Path, root: Path, work: Path, *, key: tuple[str, str]) -> Iterator[str]:
    """Serve the buckets in ``root`` to the holder of ``key`` (ID, secret); yields the endpoint."""
    port = free_port()
    command = [str(program), "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(root)]
    environment = {"ROOT_ACCESS_KEY": key[0], "ROOT_SECRET_KEY": key[1], "HOME": str(work)}
    with served(command, port, work / "versitygw.log", environment):
        yield f"http://127.0.0.1:{port}"
