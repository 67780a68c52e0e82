"""An event loop whose time jumps to the next timer: tests of seconds and hours run at once.

Decorate an async test with `in_virtual_time`. Code under test that takes a clock gets
``asyncio.get_running_loop().time``. Real sockets work, but their waiting takes no virtual time.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from typing_extensions import override

__all__ = ["VirtualTimeLoop", "in_virtual_time"]

P = ParamSpec("P")


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a timer, tells the loop that its time has come."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for something that no timer will bring")
        self.jumped += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return 1000.0 + self._jumping.jumped


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a `VirtualTimeLoop`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    # pytest looks through wrappers and would run the coroutine function itself.
    del run.__wrapped__
    return run
