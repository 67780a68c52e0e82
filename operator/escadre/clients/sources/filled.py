"""A buffer that a body is read into, again and again, without a copy.

urllib3's own ``readinto`` reads and copies, so the response of http.client below it is asked. A new
buffer for each piece would cost more than the reading: the kernel clears its pages each time. Used
by clients/sources/answer.py.
"""

import http.client
import time
from typing import Final

import urllib3

__all__ = ["Filled"]

_LARGEST: Final = 1024 * 1024
_SMALLEST: Final = 16 * 1024
_FIRST: Final = 128 * 1024
_SOON, _LATE = 0.05, 0.2  # seconds that filling may take before more, or less, is asked for


class Filled:
    """The next bytes of a body, at the beginning of ``view``.

    As many are read at a time as come within a fraction of a second: a slow mirror's bytes are told
    and looked at as they come.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._body = getattr(response, "_fp", None)
        self._size = _FIRST
        self.view = memoryview(bytearray(_LARGEST))

    def next(self) -> int:
        """Fill it; returns with how many bytes, 0 at the end."""
        if not isinstance(self._body, http.client.HTTPResponse):
            piece = self._response.read1(self._size)
            self.view[: len(piece)] = piece
            return len(piece)
        began = time.monotonic()
        count = self._body.readinto(self.view[: self._size])
        took = time.monotonic() - began
        if took < _SOON:
            self._size = min(2 * self._size, _LARGEST)
        elif took > _LATE:
            self._size = max(self._size // 2, _SMALLEST)
        if self._body.isclosed() and not self._body.length:
            self._response.release_conn()  # the body is whole; urllib3 has not seen it end
        return count
