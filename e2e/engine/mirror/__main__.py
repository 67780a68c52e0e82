"""``python -m e2e.engine.mirror``: serve a folder, publish into it, spoil it.

- ``--root DIR --port P [--host H] [--token T] [--rate BYTES]`` serves until SIGTERM;
- ``publish --root DIR --repository ORG/NAME FOLDER`` adds a model and prints its commit;
- ``flip FILE [--offset N]`` changes one byte on disk;
- ``fault --url URL [KIND SETTING=VALUE…]`` adds a fault to a running mirror; none clears them.
"""

import argparse
import json
import signal
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree, flip_byte

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] not in (["serve"], ["publish"], ["flip"], ["fault"]):
        words = ["serve", *words]
    args = _parser().parse_args(words)
    args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.mirror", description=__doc__)
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="serve a folder (the default)")
    serve.add_argument("--root", type=Path, required=True)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--token", help="refuse requests without this bearer token")
    serve.add_argument("--rate", type=int, help="bytes a second for each connection")
    serve.add_argument("--verbose", action="store_true", help="print each request")
    serve.set_defaults(run=_serve)
    publish = commands.add_parser("publish", help="add a model and print its commit")
    publish.add_argument("--root", type=Path, required=True)
    publish.add_argument("--repository", required=True)
    publish.add_argument("--commit")
    publish.add_argument("folder", type=Path)
    publish.set_defaults(run=_publish)
    flip = commands.add_parser("flip", help="change one byte of a file in place")
    flip.add_argument("file", type=Path)
    flip.add_argument("--offset", type=int, help="default: the middle")
    flip.set_defaults(run=_flip)
    fault = commands.add_parser("fault", help="add a fault to a running mirror, or clear all")
    fault.add_argument("--url", required=True)
    fault.add_argument("words", nargs="*", metavar="KIND SETTING=VALUE")
    fault.set_defaults(run=_fault)
    return parser


def _serve(args: argparse.Namespace) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = MirrorServer(
        args.root,
        host=args.host,
        port=args.port,
        token=args.token,
        rate=args.rate,
        verbose=args.verbose,
    )
    with server:
        print(f"serving {args.root} on {server.url}", flush=True)
        stop.wait()


def _publish(args: argparse.Namespace) -> None:
    print(Tree(args.root).publish(args.folder, args.repository, args.commit))


def _flip(args: argparse.Namespace) -> None:
    offset = flip_byte(args.file, args.offset)
    print(f"flipped byte {offset} of {args.file}")


def _fault(args: argparse.Namespace) -> None:
    url, method = f"{args.url.rstrip('/')}/_faults", "DELETE"
    body = None
    if args.words:
        content: dict[str, Any] = {"kind": args.words[0]}
        for word in args.words[1:]:
            name, _, value = word.partition("=")
            content[name] = value if name in ("path", "location") else json.loads(value)
        body, method = json.dumps(content).encode(), "POST"
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - the caller's URL
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - as above
        print(response.read().decode())


if __name__ == "__main__":
    main()
