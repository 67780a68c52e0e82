"""Reads a small body whole, within bounds of bytes and of time."""

import time

from escadre.clients.sources.answer import Body
from escadre.clients.sources.errors import MirrorError, MirrorSlow
from escadre.clients.sources.origins import shown

__all__ = ["whole"]


def whole(body: Body, url: str, most: int, until: float, too_long: MirrorError) -> bytes:
    """A small body; raises ``too_long`` behind ``most`` bytes, MirrorSlow behind ``until``.

    Until when it may take is in monotonic seconds: one that drips never falls silent.
    """
    text = bytearray()
    while piece := body.read():
        text += piece
        if len(text) > most:
            raise too_long
        if time.monotonic() > until:
            raise MirrorSlow(f"getting {shown(url)}: it does not come to an end")
    return bytes(text)
