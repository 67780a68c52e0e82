"""What a Python loop can do at best: ranges over raw sockets, pwrite, hashlib, threads.

``python ideal.py JSON`` with {host, port, folder, files: [[path, url path, size]], threads, hash}.
It checks nothing but lengths, keeps no marks and syncs nothing: a bound, no product. Standard
library only; prints {seconds, cpu}.
"""

import hashlib
import json
import os
import queue
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

__all__ = ["main"]

_CHUNK: Final = 64 * 1024 * 1024
_PIECE: Final = 1024 * 1024


def main(order: dict[str, Any]) -> None:
    """Fetch all files into ``folder``."""
    began, spent = time.monotonic(), time.process_time()
    tasks: queue.SimpleQueue[tuple[int, str, int, int]] = queue.SimpleQueue()
    for path, url, size in order["files"]:
        target = Path(order["folder"]) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(target, os.O_RDWR | os.O_CREAT, 0o644)
        os.posix_fallocate(handle, 0, size)
        for offset in range(0, size, _CHUNK):
            tasks.put((handle, url, offset, min(_CHUNK, size - offset)))
    threads = [threading.Thread(target=_work, args=(order, tasks)) for _ in range(order["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
    }
    print(json.dumps(numbers))


def _work(order: dict[str, Any], tasks: "queue.SimpleQueue[tuple[int, str, int, int]]") -> None:
    view = memoryview(bytearray(_PIECE))
    with socket.create_connection((order["host"], order["port"])) as connection:
        while True:
            try:
                handle, url, offset, size = tasks.get_nowait()
            except queue.Empty:
                return
            head = f"GET {url} HTTP/1.1\r\nHost: {order['host']}\r\n"
            connection.sendall(f"{head}Range: bytes={offset}-{offset + size - 1}\r\n\r\n".encode())
            rest = _past_head(connection)
            hasher = hashlib.sha256() if order["hash"] else None
            end = offset + size
            while offset < end:
                if rest:
                    view[: len(rest)] = rest
                    count, rest = len(rest), b""
                else:
                    count = connection.recv_into(view)
                if not count:
                    raise SystemExit("the body ended early")
                piece = view[:count]
                if hasher:
                    hasher.update(piece)
                os.pwrite(handle, piece, offset)
                offset += count


def _past_head(connection: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65536)
    head, _, rest = text.partition(b"\r\n\r\n")
    if b" 206 " not in head.split(b"\r\n")[0]:
        raise SystemExit(head.decode())
    return rest


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
