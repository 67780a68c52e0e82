"""What `escadre simulate` is asked: its options, carried in three groups, and read from there."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, get_args

import typer

from escadre.cli.shared.carrying import CarryingCommand, noting
from escadre.cli.shared.failures import BadInput
from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.setting import Routing

__all__ = ["Asked", "SimulateCommand", "SimulateOutput", "SimulateOutputOption", "asked_of"]

_KEY: Final = "escadre.simulate."
_NODES: Final = "1 x 8 x NVIDIA-H100-80GB-HBM3"
_TIMES: Final = {"ttft": "time_to_first_token", "itl": "inter_token_latency"}
_ROUTINGS: Final[tuple[str, ...]] = get_args(Routing)


class SimulateOutput(StrEnum):
    """How the command answers; only a log has a course to draw."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SVG = "svg"


SimulateOutputOption = Annotated[
    SimulateOutput, typer.Option("-o", "--output", help="How to answer:")
]


def _option(name: str, help_: str, metavar: str | None = None, **bounds: Any) -> Any:
    """One that is noted under its own name."""
    note = noting(f"{_KEY}{name}")
    return typer.Option(
        f"--{name}", help=help_, metavar=metavar, callback=note, expose_value=False, **bounds
    )


def _demand_options(
    _trace: Annotated[str | None, _option("trace", "Request log, CSV; - is stdin.", "FILE")] = None,
    _users: Annotated[
        int | None,
        _option("users", "People, instead of a log: GPUs for them.", min=1, max=10**10),
    ] = None,
    _scale: Annotated[
        int | None,
        _option("scale", "So many shifted copies of the log; default 1.", min=1, max=1000),
    ] = None,
    _seed: Annotated[
        int | None, _option("seed", "Of what is drawn by chance; default 0.", min=0, max=1 << 62)
    ] = None,
) -> None:
    """Carries the options about the requests."""


def _replica_options(
    _deployment: Annotated[
        list[str] | None,
        _option(
            "deployment", "ModelDeployment, maybe its approval; - is stdin. Repeatable.", "FILE"
        ),
    ] = None,
    _profile: Annotated[
        str | None,
        _option(
            "profile", "Published model with 32,768 tokens of context at most, instead.", "NAME"
        ),
    ] = None,
    _nodes: Annotated[
        str | None,
        _option("nodes", f'As of escadre plan; default "{_NODES}".', "NODES"),
    ] = None,
    _cold: Annotated[
        float | None,
        _option(
            "cold-start", "Median load of a replica; default 120.", "SECONDS", min=1, max=86400
        ),
    ] = None,
    _most: Annotated[
        int | None,
        _option("max-replicas", "Instead of the spec's maxReplicas.", min=1, max=1000),
    ] = None,
) -> None:
    """Carries the options about the replicas."""


def _objective_options(
    _first: Annotated[
        float | None,
        _option(
            "ttft",
            "Objective: time to the first token; default serviceLevel's.",
            "SECONDS",
            min=0.001,
            max=3600,
        ),
    ] = None,
    _between: Annotated[
        float | None,
        _option(
            "itl",
            "Objective: mean time between tokens; default serviceLevel's.",
            "SECONDS",
            min=0.001,
            max=3600,
        ),
    ] = None,
    _percentile: Annotated[
        int | None,
        _option(
            "percentile",
            "Of --users: requests of a hundred that are to meet it; default serviceLevel's.",
            min=50,
            max=99,
        ),
    ] = None,
    _routing: Annotated[
        str | None, _option("routing", f"{' or '.join(_ROUTINGS)}; default random.", "HOW")
    ] = None,
    _daily: Annotated[
        int | None,
        _option(
            "requests-per-day", "Of each person of --users; default by use.", min=1, max=1_000_000
        ),
    ] = None,
) -> None:
    """Carries the options about who is served how."""


class SimulateCommand(CarryingCommand):
    """The command with all of them."""

    carried: ClassVar = (_demand_options, _replica_options, _objective_options)
    once: ClassVar = frozenset({"--trace", "--users", "--profile", "--nodes"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The options; ``trace`` or ``users``, and ``deployment``, files of it, or ``profile``.

    ``wished`` is what of a service level was given, by the names of its fields.
    """

    trace: str | None
    users: int | None
    copies: int
    seed: int
    deployment: tuple[str, ...]
    profile: str | None
    nodes: str
    cold_start: float
    max_replicas: int | None
    wished: dict[str, float]
    routing: Routing
    requests_per_day: int | None

    def level(self, deployments: ServiceLevel) -> ServiceLevel:
        """What people are to have: the deployment's service level, but for what was given."""
        return replace(deployments, **self.wished)


def asked_of(context: typer.Context) -> Asked:
    """What was given; raises BadInput for what does not go together."""
    given = {
        key.removeprefix(_KEY): value
        for key, value in context.meta.items()
        if isinstance(key, str) and key.startswith(_KEY) and value != []
    }
    files: list[str] = given.get("deployment", [])
    _one_of(given, "trace", "users", "the requests")
    _one_of(given, "deployment", "profile", "the replicas")
    for one in ("requests-per-day", "percentile"):
        _only_with(given, "users", one)
    if given.get("trace") == "-" and "-" in files:
        raise BadInput("--trace - and --deployment -: stdin is one file, not two")
    for other in ("scale", "max-replicas", "routing", "cold-start"):
        _only_with(given, "trace", other)
    wished = {field: given[name] for name, field in _TIMES.items() if name in given}
    if "percentile" in given:
        wished["share"] = given["percentile"] / 100
    return Asked(
        trace=given.get("trace"),
        users=given.get("users"),
        copies=given.get("scale", 1),
        seed=given.get("seed", 0),
        deployment=tuple(files),
        profile=given.get("profile"),
        nodes=given.get("nodes", _NODES),
        cold_start=given.get("cold-start", 120.0),
        max_replicas=given.get("max-replicas"),
        wished=wished,
        routing=_routing(given.get("routing", "random")),
        requests_per_day=given.get("requests-per-day"),
    )


def _one_of(given: dict[str, Any], one: str, other: str, what: str) -> None:
    if (one in given) == (other in given):
        raise BadInput(f"give {what} as --{one} or as --{other}, one of them")


def _only_with(given: dict[str, Any], needed: str, name: str) -> None:
    if name in given and needed not in given:
        raise BadInput(f"--{name} {given[name]}: it says something of --{needed} only")


def _routing(value: str) -> Routing:
    if value == "least-loaded":
        return "least-loaded"
    if value == "random":
        return "random"
    raise BadInput(f"--routing {value}: {' or '.join(_ROUTINGS)} is meant")
