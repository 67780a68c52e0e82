"""machinery/serving.py: what a probe and its reader are answered."""

import aiohttp
import pytest

from escadre.machinery.serving import Endpoint, serving


@pytest.mark.parametrize(
    ("problem", "note", "answer"),
    [
        ("", "", (200, "ok\n")),
        ("", "kopf told of something 3 s ago", (200, "ok: kopf told of something 3 s ago\n")),
        ("a reconcile runs for 400 s", "whatever", (503, "a reconcile runs for 400 s\n")),
    ],
)
async def test_a_check(
    problem: str, note: str, answer: tuple[int, str], unused_tcp_port: int
) -> None:
    checks = {"/healthz": lambda: problem}
    endpoint = Endpoint(unused_tcp_port, checks, host="127.0.0.1", note=lambda: note)
    url = f"http://127.0.0.1:{unused_tcp_port}/healthz"
    async with serving(endpoint), aiohttp.ClientSession() as session, session.get(url) as told:
        assert (told.status, await told.text()) == answer
