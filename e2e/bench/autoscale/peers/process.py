"""The program of go/, run: it hosts many policies of the peers and answers one look after another.

The protocol stands in go/main.go. A process is for one thread of one caller; each worker of the
benchmark has its own. Called by asked.py.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from e2e.bench.autoscale.peers.build import PeersError
from escadre.core.simulation.deciding import Observation, Phase, Watched

__all__ = ["Look", "Peers"]

_PHASES: Final[Mapping[Phase, int]] = {"ready": 0, "loading": 1, "draining": 2}
# So many answers fit into a pipe that nobody reads meanwhile.
_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Look:
    """What one policy is shown. ``at``: seconds from the beginning; ``given``: see go/main.go."""

    policy: int
    at: float
    told: int
    replicas: Sequence[Watched]
    given: float = 0.0

    @classmethod
    def at_observation(cls, policy: int, seen: Observation, now: float, given: float = 0.0) -> Self:
        """Where nothing was decided yet, what is there is what was asked for."""
        told = len(seen.staying) if seen.told is None else seen.told
        return cls(policy, now, told, seen.replicas, given)

    @property
    def line(self) -> str:
        """As it is sent. Numbers go as they are: this is the hot path of the benchmark."""
        seen = ",".join(map(_shown, self.replicas))
        return (
            f'{{"do":"look","id":{self.policy},"at":{self.at!r},"told":{self.told},'
            f'"given":{self.given!r},"seen":[{seen}]}}\n'
        )


def _shown(one: Watched) -> str:
    phase, demand = _PHASES[one.phase], one.demand
    if demand is None or demand.running is None or demand.waiting is None:
        return f"{phase},0,0,0,0"
    return f"{phase},1,{demand.running},{demand.waiting},{demand.cache_usage or 0.0!r}"


class Peers:
    """The running program; a context manager."""

    def __init__(self, program: Path) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )
        self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it; at the end of its input it goes by itself."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait(timeout=30)
        self._said.close()

    def make(self, peer: str, settings: Mapping[str, Any]) -> int:
        """Makes a policy of a peer and returns its number.

        Raises:
            PeersError: the peer refuses its settings, in its own words.
        """
        self._made += 1
        request = {"do": "make", "id": self._made, "peer": peer, "settings": settings}
        self._send(json.dumps(request) + "\n")
        self._receive()
        return self._made

    def end(self, policy: int) -> None:
        """Forgets a policy."""
        self._send(f'{{"do":"end","id":{policy}}}\n')
        self._receive()

    def look(self, look: Look) -> int:
        """The number of replicas that a policy wants."""
        self._send(look.line)
        return _desired(self._receive())

    def look_all(self, looks: Sequence[Look]) -> list[int]:
        """Those of many, in order: several times as fast as one after another."""
        found: list[int] = []
        for first in range(0, len(looks), _AT_ONCE):
            some = looks[first : first + _AT_ONCE]
            self._send("".join([one.line for one in some]))
            found += [_desired(self._receive()) for _ in some]
        return found

    def _send(self, text: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(text.encode())
            pipe.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self) -> bytes:
        """A line that tells of no error."""
        pipe = self._process.stdout
        assert pipe is not None
        line = pipe.readline()
        if not line:
            raise self._ended()
        if b'"error":' in line:
            answer = json.loads(line)
            raise PeersError(f"policy {answer['id']}: {answer['error']}")
        return line

    def _ended(self) -> PeersError:
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        return PeersError("the program of the peers ended: " + (said or ["it said nothing"])[-1])


def _desired(line: bytes) -> int:
    """``{"id":1,"desired":3}``; reading it as JSON would take longer than writing it does."""
    return int(line[line.rindex(b":") + 1 : -2])
