"""The replica that `escadre simulate` plays: the layout the operator would plan, and its speed.

As `escadre plan --nodes` finds it; no cluster is asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from escadre.api.agreements import disagreement
from escadre.api.deployment import LayoutStatus, ModelDeploymentSpec
from escadre.cli.plan.nodelist import read_nodes
from escadre.cli.plan.numbers import level_words
from escadre.cli.plan.platform import TOLERATED
from escadre.cli.plan.prospect import Fleet, Prospect, look_ahead
from escadre.cli.plan.speeds import Paced
from escadre.cli.plan.tried import tried_for
from escadre.cli.plan.wishes import read_wishes
from escadre.cli.plan.wishfiles import WishText, read_texts
from escadre.cli.plan.without import fleet_of
from escadre.cli.shared import speeds
from escadre.cli.shared.failures import BadInput
from escadre.cli.simulate.asked import Asked
from escadre.cli.simulate.judged import level_document
from escadre.cli.simulate.published import published
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.profile import DEFAULT_PROFILE
from escadre.core.scaling.policy import Windows
from escadre.core.scaling.service import LoadTime, Service
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.people import Terms
from escadre.core.simulation.replica import ReplicaModel
from escadre.core.simulation.setting import Scaled
from escadre.settings import ScalingSettings
from escadre.state.service import level_of

__all__ = ["Planned", "planned_for"]


@dataclass(frozen=True, slots=True)
class Planned:
    """The replica, how many of them, and what there is to say of where this is from.

    ``name`` is the deployment's, with its namespace; "" for a published model. ``nodes`` are those
    that may have such a replica: the GPUs of the largest and of the smallest.
    """

    name: str
    repository: str
    spec: ModelDeploymentSpec
    summary: str
    model: ReplicaModel
    scaled: Scaled
    nodes: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def terms(self) -> Terms:
        """What it says of how many there are; a published model has none of it."""
        largest, smallest = self.nodes
        bare = Terms(self.model.gpus, largest, smallest)
        if not self.name:
            return bare
        return replace(bare, minimum=self.scaled.bounds.minimum, spare=self.scaled.spare)

    @property
    def document(self) -> dict[str, Any]:
        """The replica that was played, and how it is scaled, as JSON."""
        scaled, model = self.scaled, self.model
        return {
            "name": self.name or None,
            "approval": self.spec.approval,
            "model": self.repository,
            "layout": self.summary,
            "gpus": model.gpus,
            "maxModelLen": model.max_model_len,
            "maxNumSeqs": model.max_num_seqs,
            "cacheBlocks": model.cache_blocks,
            "minReplicas": scaled.bounds.minimum,
            "maxReplicas": scaled.bounds.maximum,
            "targetQueueDepth": self.spec.scaling.target_queue_depth,
            "serviceLevel": level_document(level_of(self.spec)),
            "spareReplicas": scaled.spare,
            "speed": speeds.document(model.speed),
        }


def planned_for(asked: Asked, read: Callable[[str], str], now: float) -> Planned:
    """Plans the one wish of --deployment, or that of --profile; raises BadInput if it gets none."""
    files = ", ".join(asked.deployment)
    name = f"--deployment {files}" if files else f"--profile {asked.profile}"
    wishes = read_wishes(_texts(asked, read), "default")
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
    model, wish = _model(paced), prospect.wish
    return Planned(
        name=f"{wish.namespace}/{wish.name}" if asked.deployment else "",
        repository=_repository(prospect),
        spec=wish.spec,
        summary=layout.summary,
        model=model,
        scaled=_scaled(asked, wish.spec, layout, model),
        nodes=_nodes(fleet, layout),
        notes=(*fleet.notes, *_out_of_reach(prospect), *_like(paced)),
    )


def _texts(asked: Asked, read: Callable[[str], str]) -> list[WishText]:
    if not asked.deployment:
        return [published(asked.profile or "", asked.max_replicas)]
    return read_texts(asked.deployment, read, "--deployment")


def _why(prospect: Prospect) -> str:
    if prospect.plan is None:
        return prospect.approval_message
    return str(prospect.plan.message)


def _repository(prospect: Prospect) -> str:
    model = prospect.plan.facts.model if prospect.plan else None
    return model.repository if model else ""


def _nodes(fleet: Fleet, layout: LayoutStatus) -> tuple[int, int]:
    able = [
        one.gpus
        for one in fleet.usable
        if one.product == layout.product and one.gpus >= layout.gpus
    ]
    return max(able, default=layout.gpus), min(able, default=layout.gpus)


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


def _scaled(
    asked: Asked, spec: ModelDeploymentSpec, layout: LayoutStatus, model: ReplicaModel
) -> Scaled:
    """As the chart sets the platform's part.

    What the operator would be told of its loads: that they take as long as most do.
    """
    scaling, platform = spec.scaling, ScalingSettings()
    most = asked.max_replicas or scaling.max_replicas
    with_most = scaling.model_copy(update={"max_replicas": most})
    if words := disagreement(spec.model_copy(update={"scaling": with_most})):
        raise BadInput(f"--max-replicas {most}: spec.{words}")
    service = Service(model.prior, level_of(spec), LoadTime.about(asked.cold_start))
    return Scaled(
        Bounds(scaling.min_replicas, most),
        layout.target_queue_depth,
        Windows(platform.down_stabilization_seconds, platform.stale_seconds),
        platform.scrape_seconds,
        service if scaling.target_queue_depth is None else None,
        scaling.spare_replicas or 0,
    )


def _out_of_reach(prospect: Prospect) -> Iterator[str]:
    """A level that not even a request alone keeps: no number of replicas changes what comes out."""
    reach = prospect.numbers.reach if prospect.numbers else None
    if reach is not None and not reach.holds:
        yield f"serviceLevel: {level_words(reach)}."


def _like(paced: Paced) -> tuple[str, ...]:
    estimate = "Speed is an estimate by the rates of the GPU's data sheet"
    if paced.like is None:
        return (f"{estimate}; a measurement on your nodes is worth more.",)
    return (f"{estimate}, here of {paced.like}, for {paced.layout.product} is not in the list.",)
