"""A real S3 store over a folder: each folder below its root is a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.engine.mirror.served import served
from e2e.engine.ports import free_port

__all__ = ["command", "environment", "versitygw"]


def command(program: Path, root: Path, host: str, port: int) -> list[str]:
    """The command line that serves the buckets in ``root``."""
    return [str(program), "--port", f"{host}:{port}", "--quiet", "posix", str(root)]


def environment(key: tuple[str, str]) -> dict[str, str]:
    """Who may read: the holder of ``key`` (ID, secret)."""
    return {"ROOT_ACCESS_KEY": key[0], "ROOT_SECRET_KEY": key[1]}


@contextmanager
def versitygw(
    program: Path, root: Path, work: Path, *, key: tuple[str, str], domain: str = ""
) -> Iterator[str]:
    """Serve the buckets in ``root`` to the holder of ``key``; yields the endpoint.

    With a ``domain`` it also serves each bucket at ``<bucket>.<domain>``.
    """
    port = free_port()
    run = command(program, root, "127.0.0.1", port)
    if domain:
        run[1:1] = ["--virtual-domain", f"{domain}:{port}"]
    with served(run, port, work / "versitygw.log", {**environment(key), "HOME": str(work)}):
        yield f"http://127.0.0.1:{port}"
