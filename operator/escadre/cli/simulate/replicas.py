"""The replica that `escadre simulate` plays: the layout the operator would plan, and its speed.

As `escadre plan --nodes` finds it; no cluster is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from escadre.cli.plan.nodelist import read_nodes
from escadre.cli.plan.platform import TOLERATED
from escadre.cli.plan.prospect import Prospect, look_ahead
from escadre.cli.plan.speeds import Paced
from escadre.cli.plan.tried import tried_for
from escadre.cli.plan.wishes import read_wishes
from escadre.cli.plan.wishfiles import WishText, read_texts
from escadre.cli.plan.without import fleet_of
from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.yamltext import yaml_text
from escadre.cli.simulate.asked import Asked
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.profile import DEFAULT_PROFILE
from escadre.core.scaling.policy import Windows
from escadre.core.scaling.service import LoadTime, Service, ServiceLevel
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.replica import ReplicaModel
from escadre.core.simulation.setting import Scaled
from escadre.settings import ScalingSettings
from escadre.state.service import level_of

__all__ = ["Planned", "planned_for"]

_CONTEXT: Final = 32768
_REPLICAS: Final = 8


@dataclass(frozen=True, slots=True)
class Planned:
    """The replica, how many of them, and what there is to say of where this is from.

    ``level`` is what its spec asks for, also where its number follows a fixed target.
    """

    summary: str
    model: ReplicaModel
    scaled: Scaled
    level: ServiceLevel
    notes: tuple[str, ...]


def planned_for(asked: Asked, read: Callable[[str], str], now: float) -> Planned:
    """Plans the one wish of --deployment, or that of --profile; raises BadInput if it gets none."""
    name = f"--deployment {asked.deployment}" if asked.deployment else f"--profile {asked.profile}"
    texts = read_texts([asked.deployment], read) if asked.deployment else [_wish(asked)]
    wishes = read_wishes(texts, "default")
    if len(wishes.deployments) != 1:
        many = len(wishes.deployments)
        raise BadInput(f"{name}: {many} ModelDeployments are in it; one is meant")
    fleet = fleet_of(read_nodes(asked.nodes, read, TOLERATED), wishes, DEFAULT_PROFILE)
    (prospect,) = look_ahead(wishes, fleet, now).prospects
    (tried,) = tried_for([prospect], fleet)
    layout = prospect.layout
    if layout is None or not tried.speeds:
        raise BadInput(f"{name}: no layout is planned for it on {asked.nodes}: {_why(prospect)}")
    paced = tried.speeds[0]
    model = _model(paced)
    scaled = _scaled(prospect, layout.target_queue_depth, asked.max_replicas)
    if prospect.wish.spec.scaling.target_queue_depth is None:
        scaled = replace(scaled, service=_service(prospect, model, asked.cold_start))
    notes = (*fleet.notes, *_unplayed(prospect), *_like(paced))
    return Planned(layout.summary, model, scaled, level_of(prospect.wish.spec), notes)


def _wish(asked: Asked) -> WishText:
    spec = {
        "approval": asked.profile,
        "contextLength": _CONTEXT,
        "scaling": {"minReplicas": 1, "maxReplicas": asked.max_replicas or _REPLICAS},
    }
    body = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "simulated"},
        "spec": spec,
    }
    return WishText("--profile", yaml_text(body))


def _why(prospect: Prospect) -> str:
    if prospect.plan is None:
        return prospect.approval_message
    return str(prospect.plan.message)


def _model(paced: Paced) -> ReplicaModel:
    layout = paced.layout
    return ReplicaModel(
        speed=paced.speed,
        cache_blocks=layout.capacity.key_value_tokens // BLOCK_TOKENS,
        max_num_seqs=layout.max_num_seqs,
        max_num_batched_tokens=layout.max_num_batched_tokens,
        max_model_len=layout.max_model_len,
        gpus=layout.gpus,
    )


def _scaled(prospect: Prospect, target: int, most: int | None) -> Scaled:
    """As the chart sets the platform's part."""
    spec, platform = prospect.wish.spec.scaling, ScalingSettings()
    most = most or spec.max_replicas
    if most < spec.min_replicas:
        raise BadInput(f"--max-replicas {most}: minReplicas is {spec.min_replicas}")
    return Scaled(
        Bounds(spec.min_replicas, most),
        target,
        Windows(platform.down_stabilization_seconds, platform.stale_seconds),
        platform.scrape_seconds,
        spare=spec.spare_replicas or 0,
    )


def _service(prospect: Prospect, model: ReplicaModel, load: float) -> Service:
    """What the operator would be told of it; of its loads, that they take as long as most do."""
    return Service(model.prior, level_of(prospect.wish.spec), LoadTime.about(load))


def _unplayed(prospect: Prospect) -> tuple[str, ...]:
    if not prospect.wish.spec.scaling.schedules:
        return ()
    return ("Its schedules are not played, for a log names no day: minReplicas is the least.",)


def _like(paced: Paced) -> tuple[str, ...]:
    estimate = "Speed is an estimate by the rates of the GPU's data sheet"
    if paced.like is None:
        return (f"{estimate}; a measurement on your nodes is worth more.",)
    return (f"{estimate}, here of {paced.like}, for {paced.layout.product} is not in the list.",)
