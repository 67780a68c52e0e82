"""KubeApi over TLS: a watch that is left in the middle leaves nothing behind."""

import asyncio
import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from e2e.cluster.certificates import Authority

from escadre.clients.kube import NODES, Connection, KubeApi

_EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"gpu-0","resourceVersion":"1"}}}\n'
_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
    len(_EVENT),
    _EVENT,
)


@contextmanager
def deaf_server(folder: Path) -> Iterator[str]:
    """Tells one event, and never reads again: a farewell gets no answer. Yields its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) as client:
                client.recv(65536)
                client.sendall(_ANSWER)
                done.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def test_a_watch_left_in_the_middle_leaves_no_connection(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("server", "server", alternatives=("127.0.0.1",))

    async def leave(url: str) -> str:
        trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        async with (
            KubeApi(Connection(url, tls=trusted)) as api,
            aclosing(api.watch(NODES, resource_version="0")) as events,
        ):
            first = await anext(events)
        return str(first.object["metadata"]["name"])

    with deaf_server(tmp_path) as url, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert asyncio.run(leave(url)) == "gpu-0"
        gc.collect()
    assert not [str(one.message) for one in seen if one.category is ResourceWarning]
