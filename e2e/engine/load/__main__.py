"""``python -m e2e.engine.load --url URL --model NAME``: run a load, print its summary as JSON.

SIGTERM or SIGINT ends it early: no new request, those in flight are awaited. Exit status 1 when
a request was lost.
"""

import argparse
import asyncio
import json
import signal
import sys

from e2e.engine.load.request import Ask
from e2e.engine.load.run import Load, Summary, run_load

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the load of the command line."""
    args = _parser().parse_args(arguments)
    ask = Ask(
        url=args.url,
        model=args.model,
        max_tokens=args.max_tokens,
        prompt_words=args.prompt_words,
        stream=args.stream,
        seconds=args.patience,
    )
    load = Load(
        ask,
        clients=args.clients,
        rate=args.rate,
        requests=args.requests,
        seconds=args.seconds,
        keep_alive=args.keep_alive,
    )
    summary = asyncio.run(_run(load))
    print(json.dumps(summary.as_json(), indent=2))
    return 1 if summary.lost else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.load", description=__doc__)
    parser.add_argument("--url", required=True, help="base URL, without /v1")
    parser.add_argument("--model", required=True)
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients")
    parser.add_argument("--rate", type=float, help="requests a second instead of clients")
    parser.add_argument("--requests", type=int, help="end after so many")
    parser.add_argument("--seconds", type=float, help="end after so long")
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--prompt-words", type=int, default=16)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds for one answer")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--keep-alive", action="store_true", help="clients keep connections")
    return parser


async def _run(load: Load) -> Summary:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await run_load(load, stop)


if __name__ == "__main__":
    sys.exit(main())
