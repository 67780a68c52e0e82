"""From the caches to the facts that planning sees. No I/O, and nothing is written.

`Gather` lives as long as the process. Facts of an object are made when something they are made
from is another, and are the same object until then: at rest a pass over a thousand deployments
makes none. `Gather.at` gives the `Sight` of one pass, which sees everything at one time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from escadre import reasons
from escadre.api.deployment import Layout, WeightsOnNode
from escadre.api.gpunode import MirrorSource
from escadre.core.approvals.verdict import PolicyState
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.belief import NodeBelief
from escadre.core.fleet.freshness import node_stands, stands
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan
from escadre.core.fleet.retelling import retold
from escadre.core.profile import profile_for
from escadre.core.replicas.inputs import platform_text
from escadre.core.replicas.order import Standing, standing_of
from escadre.core.replicas.relief import Relief
from escadre.core.scaling.keeping import begun, telling
from escadre.core.scaling.learning import Learned
from escadre.core.scaling.step import Scalable
from escadre.machinery.memo import Memo
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.demand import desired_replicas, scalable
from escadre.state.deployments import deployment_facts, key_of, reliefs
from escadre.state.judge import Approvals, DeploymentApproval, Policies, judged
from escadre.state.memory import Memory
from escadre.state.nodes import belief_of, node_facts, told_gpus
from escadre.state.observe import Observed, observe, placed, with_readings
from escadre.state.service import service_of
from escadre.state.standings import standing
from escadre.state.unused import unused
from escadre.state.views import DeploymentView, NodeView, PodView

__all__ = ["Gather", "Sight"]


class Gather:
    """What was made of the caches so far; see the module."""

    def __init__(self, caches: Caches, memory: Memory, settings: Settings) -> None:
        self.caches = caches
        self.memory = memory
        self.settings = settings
        self.platform = platform_text(settings.engine)  # as replicas record it
        self.engine = profile_for(settings.engine.version)
        self.replicas = Memo(observe)
        self.deployments = Memo(deployment_facts)
        self.nodes = Memo(node_facts)
        self.standings = Memo(standing)
        self.services = Memo(service_of)
        self.verdicts = Memo(judged)
        self._policies = Policies(caches, settings.policies)
        self._waiting: tuple[FleetPlan | None, frozenset[DeploymentKey]] = (None, frozenset())

    def policies(self) -> PolicyState:
        """Whether the admission policies are live and the chart's."""
        return self._policies.state()

    def at(self, now: float) -> "Sight":
        """What one pass sees."""
        approvals = Approvals(self.caches, self.settings, self.policies(), now, self.verdicts)
        return Sight(self, now, approvals)

    def waiting_for_gpus(self) -> frozenset[DeploymentKey]:
        """The deployments that do by the last plan, which is looked through once.

        Each pass over a deployment asks: of 2,000 each would look at 2,000.
        """
        plan = self.memory.plan
        if plan is not None and plan is not self._waiting[0]:
            short = (key for key, one in plan.deployments.items() if _waits_for_gpus(one))
            self._waiting = (plan, frozenset(short))
        return self._waiting[1] if plan is not None else frozenset()

    def forget_gone(self) -> None:
        """Drops what was made of objects that are gone."""
        living = {view.uid for view in self.caches.deployments.values()}
        self.replicas.keep_only(living)
        self.deployments.keep_only(living)
        self.standings.keep_only(living)
        self.services.keep_only(living)
        self.verdicts.keep_only(view.uid for view in self.caches.approvals.values())
        self.nodes.keep_only(node.name for node in self.caches.nodes.values())


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything at one time, in seconds since the epoch. Of use until the caches change."""

    gather: Gather
    now: float
    approvals: Approvals
    _known: dict[str, tuple[Observed, ...]] = field(default_factory=dict)  # by uid

    def approval(self, view: DeploymentView) -> DeploymentApproval:
        """What the approval that a deployment names means for it."""
        return self.approvals.of(view)

    def observed(self, view: DeploymentView) -> tuple[Observed, ...]:
        """Its replicas, with what was read of their engines."""
        return self._read(self.replicas(view))

    def replicas(self, view: DeploymentView) -> tuple[Observed, ...]:
        """Its replicas as the objects tell, without readings; looked for once."""
        known = self._known.get(view.uid)
        if known is None:
            known = self._known[view.uid] = self._look(view)
        return known

    def scalable(self, view: DeploymentView) -> Scalable:
        """What scaling sees of it beside its demand."""
        replicas, approval, layout = self.replicas(view), self.approval(view), self._layout(view)
        seen = scalable(view, approval, layout, replicas, self.now)
        service = self.gather.services.of(view.uid, view.spec, approval.model, layout, replicas)
        if service is None:
            return seen
        return replace(
            seen,
            service=service,
            learned=self._learned(view, service.key),
            contended=self._others_wait(view),
        )

    def facts(self, view: DeploymentView) -> DeploymentFacts:
        """The deployment as planning sees it, with the replicas that are to leave marked."""
        approval, replicas, memory = self.approval(view), self.replicas(view), self.gather.memory
        scaled = memory.scaled.get(view.uid)
        seen = scalable(view, approval, self._layout(view), replicas, self.now)
        desired = desired_replicas(scaled.state if scaled else None, seen, self.now)
        relief: dict[int, Relief] = {}
        if len(replicas) > desired:  # who is to leave is a question of demand, and of room
            replicas, relief = self._read(replicas), reliefs(memory.plan, replicas)
        model = approval.model if approval.approved else None
        return self.gather.deployments.of(view.uid, view, model, desired, replicas, relief)

    def node(self, node: NodeView) -> NodeFacts | None:
        """The node as planning sees it; None for one without a described GPU."""
        caches, tolerations = self.gather.caches, self.gather.settings.engine.tolerations
        return self.gather.nodes.of(
            node.name,
            node,
            caches.gpunodes.get(node.name),
            self.belief(node),
            caches.holders_of(node.name),
            tolerations,
        )

    def seen(self, node: NodeView) -> NodeFacts | Unused | None:
        """Its facts, else why there are none though it has GPUs; None for one without."""
        gpunode = self.gather.caches.gpunodes.get(node.name)
        return self.node(node) or unused(node, told_gpus(node, gpunode, self.belief(node)))

    def belief(self, node: NodeView) -> NodeBelief | None:
        """What is believed of a node; None while it has no GPUNode of its own."""
        caches = self.gather.caches
        return belief_of(
            node, caches.gpunodes.get(node.name), caches.agents.of(node.name), self.now
        )

    def retold(self, weights: Sequence[WeightsOnNode]) -> tuple[WeightsOnNode, ...]:
        """The states that a plan tells, with the numbers of now."""
        nodes = self.gather.caches.nodes
        views = (nodes.get(one.node) for one in weights if one.state == "Pulling")
        facts = (self.node(view) for view in views if view)
        return retold(weights, {one.name: one for one in facts if one})

    def mirrors(self) -> Mapping[str, MirrorSource]:
        """The mirrors that weights may be pulled from."""
        views = self.gather.caches.mirrors.values()
        return {view.name: view.source for view in views if view.source and not view.terminating}

    def invalid_mirrors(self) -> Mapping[str, str]:
        """Those that cannot be read, and why not."""
        views = self.gather.caches.mirrors.values()
        return {view.name: view.invalid for view in views if view.invalid and not view.terminating}

    def snapshot(self) -> FleetSnapshot:
        """Everything one planning pass sees."""
        caches = self.gather.caches
        found = (one for one in map(self.seen, caches.nodes.values()) if one)
        seen = sorted(found, key=lambda one: one.name)
        return FleetSnapshot(
            deployments=tuple(
                self.facts(view) for view in caches.deployments.values() if not view.terminating
            ),
            nodes=tuple(one for one in seen if isinstance(one, NodeFacts)),
            mirrors=self.mirrors(),
            gpu_memory_utilization_percent=self.gather.settings.engine.gpu_memory_utilization_percent,
            unused=tuple(one for one in seen if isinstance(one, Unused)),
            invalid_mirrors=self.invalid_mirrors(),
            profile=self.gather.engine.profile,
        )

    def heard(self, key: DeploymentKey) -> None:
        """Notes that there is news of a deployment, which its status is to tell in a moment."""
        view = self.gather.caches.deployments.get(key.name, key.namespace)
        if view is not None:
            self.gather.memory.unsaid.setdefault(view.uid, self.now)

    def plan_stands(self, key: DeploymentKey) -> bool:
        """Whether the last plan still fits a deployment, or knows as little of it as we do."""
        view = self.gather.caches.deployments.get(key.name, key.namespace)
        plan = self.gather.memory.plan_of(key)
        if view is None or view.terminating or plan is None:
            return plan is None and (view is None or view.terminating)
        return stands(plan, self.facts(view))

    def node_stands(self, name: str) -> bool:
        """Whether the last plan still fits a node."""
        plan, node = self.gather.memory.plan, self.gather.caches.nodes.get(name)
        return plan is not None and node_stands(plan, name, self.seen(node) if node else None)

    def mirrors_stand(self) -> bool:
        """Whether the last plan was made for the mirrors that there are."""
        plan = self.gather.memory.plan
        if plan is None or plan.made_for.mirrors != self.mirrors():
            return False
        return plan.made_for.invalid_mirrors == self.invalid_mirrors()

    def standings(self) -> list[Standing]:
        """How the deployments stand towards today's platform, by the last plan."""
        views = self.gather.caches.deployments.values()
        return [one for view in views if (one := self.standing(view)).matters]

    def standing(self, view: DeploymentView) -> Standing:
        """How a deployment stands towards today's platform, by the last plan."""
        key = key_of(view)
        gather, approval = self.gather, self.approval(view)
        plan = gather.memory.plan_of(key)
        if plan is None or not approval.approved or view.terminating:  # nothing of it is replaced
            return standing_of(key, 0, ())
        replicas = self.replicas(view)
        return gather.standings.of(view.uid, key, plan, replicas, approval.model, gather.settings)

    def order_stands(self, key: DeploymentKey) -> bool:
        """Whether the order of a platform change still fits a deployment."""
        view = self.gather.caches.deployments.get(key.name, key.namespace)
        now = self.standing(view) if view else standing_of(key, 0, ())
        return self.gather.memory.order.stands(now)

    def wrote(self, view: DeploymentView) -> bool:
        """Whether this version of a deployment came of our own write of its status."""
        written = self.gather.memory.status_written.get(view.uid)
        return written is not None and written.version == view.resource_version

    def turns_on(self, old: PodView | None, new: PodView | None) -> bool:
        """Whether a plan or an order may be another after a change of an engine's pod.

        Planning asks where it is and whether it counts; how it does matters to whoever waits for
        a change of the platform.
        """
        return self.gather.memory.order.waits or placed(old) != placed(new)

    def _learned(self, view: DeploymentView, key: str) -> Learned | None:
        """What others taught of replicas of its kind, while it knows nothing of them itself."""
        memory = self.gather.memory
        scaled = memory.scaled.get(view.uid)
        learned = scaled.state.learned if scaled else None
        if learned is not None and learned.key == key:
            return None
        return telling(memory.learned.get(key), begun(view.told.learned, key, self.now))

    def _layout(self, view: DeploymentView) -> Layout | None:
        plan = self.gather.memory.plan_of(key_of(view))
        return plan.layout if plan else None

    def _others_wait(self, view: DeploymentView) -> bool:
        """Whether another deployment waits for GPUs."""
        waiting = self.gather.waiting_for_gpus()
        return bool(waiting) and bool(waiting - {key_of(view)})

    def _read(self, replicas: tuple[Observed, ...]) -> tuple[Observed, ...]:
        memory = self.gather.memory
        return with_readings(replicas, memory.readings, memory.hung)

    def _look(self, view: DeploymentView) -> tuple[Observed, ...]:
        caches, where = self.gather.caches, (view.namespace, view.name)
        pods = caches.pods.by("deployment", where)
        return self.gather.replicas.of(
            view.uid,
            view,
            caches.replicas.by("deployment", where),
            pods,
            self.approval(view).model,
            self.gather.platform,
            caches.gone.of(pods, self.now),
        )


def _waits_for_gpus(plan: DeploymentPlan) -> bool:
    return any(one.node is None and one.reason == reasons.INSUFFICIENT_GPUS for one in plan.slots)
