"""``python -m e2e.engine.standin [serve] MODEL …flags``: starts, serves, drains, ends.

Started by the engine runner in place of ``vllm serve``, and by tests. Exit status: 2 for flags
that vLLM does not know, 1 for a start that fails, 0 after SIGTERM and when its core has died.
"""

import asyncio
import json
import logging
import logging.config
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from e2e.engine.standin.core import start_core
from e2e.engine.standin.engine import Engine, Speed
from e2e.engine.standin.failing import StartError, tell, told_dead
from e2e.engine.standin.flags import Options, parse_flags
from e2e.engine.standin.metrics import EngineMetrics
from e2e.engine.standin.middleware import load
from e2e.engine.standin.modelfolder import read_folder
from e2e.engine.standin.scheduler import Scheduler
from e2e.engine.standin.server import Server
from e2e.engine.standin.startup import Capacity, plan_capacity

__all__ = ["build", "main"]

_IDLE_SECONDS = 5  # after which a kept connection is closed: VLLM_HTTP_TIMEOUT_KEEP_ALIVE

_log = logging.getLogger("vllm.standin")
_engine_log = logging.getLogger("vllm.v1.engine.async_llm")


class _Orders:
    """What comes from outside: a signal to stop, or that the core has died."""

    def __init__(self, core: int) -> None:
        self.loading = True
        self.stop, self.dead = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._core = core
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._told)
        self._loop.add_reader(core, self._died)

    async def any(self) -> None:
        """Wait for the first of them."""
        waiting = [asyncio.create_task(one.wait()) for one in (self.stop, self.dead)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()

    def _told(self) -> None:
        """VLLM loses the first signal of its start and goes on to serve."""
        if self.loading:
            self.loading = False
            _log.info("Lost a signal while loading")
        else:
            self.stop.set()

    def _died(self) -> None:
        self._loop.remove_reader(self._core)
        self.dead.set()


def main() -> int:
    """Run the stand-in; its exit status."""
    options = parse_flags(sys.argv[1:])
    _configure_logging(os.environ)
    return asyncio.run(_live(options, Speed.from_environment(os.environ), start_core()))


def build(options: Options, capacity: Capacity, speed: Speed) -> tuple[Engine, Server]:
    """An engine and the server over it; the caller runs ``engine.run()``."""
    cache = capacity.cache
    metrics = EngineMetrics(
        model_name=options.served_model_names[0],
        max_model_len=capacity.max_model_len,
        cache=cache,
    )
    scheduler = Scheduler(
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        blocks=cache.blocks,
        block_size=cache.block_size,
    )
    engine = Engine(scheduler, metrics, speed)
    server = Server(
        engine,
        names=options.served_model_names,
        root=options.model,
        max_model_len=capacity.max_model_len,
    )
    return engine, server


def _configure_logging(environment: Mapping[str, str]) -> None:
    """Plain lines to stdout, or what ``VLLM_LOGGING_CONFIG_PATH`` says, as in vLLM."""
    path = environment.get("VLLM_LOGGING_CONFIG_PATH")
    if path:
        logging.config.dictConfig(json.loads(Path(path).read_text(encoding="utf-8")))
        return
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="%(levelname)s %(asctime)s [%(name)s] %(message)s",
        datefmt="%m-%d %H:%M:%S",
    )


async def _live(options: Options, speed: Speed, core: int) -> int:
    """Load, serve until it is told to stop or its core has died, and end."""
    orders = _Orders(core)
    if await _happens_within(orders.stop, speed.startup_seconds):
        return 0
    orders.loading = False
    try:
        capacity = plan_capacity(options, read_folder(Path(options.model)), os.environ)
    except StartError as error:
        tell(error)
        return 1
    engine, server = build(options, capacity, speed)
    stepping = asyncio.create_task(engine.run())
    runner = web.AppRunner(
        server.application(*(load(path) for path in options.middleware)),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=2,
        keepalive_timeout=_IDLE_SECONDS,
    )
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    await site.start()
    _log.info("Starting vLLM stand-in on http://%s:%d", options.host, _port(runner))
    await orders.any()
    if orders.dead.is_set():
        await _die(engine, server, speed.dying_seconds)
    else:
        await _drain(engine, server, options.shutdown_timeout, speed.linger_seconds)
        stepping.cancel()
        await _cut(engine, dead=options.shutdown_timeout > 0)
    await runner.cleanup()
    stepping.cancel()
    return 0


async def _die(engine: Engine, server: Server, seconds: float) -> None:
    """Its core is gone: fail what is in flight, answer /health with 503 for a moment, end."""
    server.dead = True
    _engine_log.error("AsyncLLM output_handler failed.\n%s", told_dead())
    engine.abort_all(dead=True)
    await asyncio.sleep(seconds)


async def _drain(engine: Engine, server: Server, limit: int, linger: float) -> None:
    """Finish what is in flight within ``limit`` s while new requests get 500, then linger."""
    server.draining = True
    _log.info("Draining %d requests for at most %d s", engine.in_flight, limit)
    if limit:
        try:
            await asyncio.wait_for(engine.idle(), limit)
            await asyncio.sleep(linger)
        except TimeoutError:
            _log.warning("Killing the core of %d requests after %d s", engine.in_flight, limit)


async def _cut(engine: Engine, *, dead: bool) -> None:
    """What is still in flight is never answered in full.

    VLLM was seen to cut a single stream and end; to answer it nothing; and to answer none of
    several (3 of 3). Then it ends when the clients have left, or by SIGKILL.
    """
    if engine.in_flight > 1:
        await engine.idle()
    engine.abort_all(dead=dead)


async def _happens_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _port(runner: web.AppRunner) -> int:
    address = runner.addresses[0]
    return int(address[1])


if __name__ == "__main__":
    sys.exit(main())
