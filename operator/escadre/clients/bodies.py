"""Reads the body of an engine's answer, which is a stranger's, and no more of it than may be."""

import aiohttp

__all__ = ["read_bounded"]


async def read_bounded(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body, None when it has more than ``most`` bytes; raises what aiohttp does."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)
