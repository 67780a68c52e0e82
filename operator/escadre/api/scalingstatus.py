"""What the status of a ModelDeployment tells of the number of its replicas, and why it is that."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from escadre.api.base import Model
from escadre.api.bounds import Entries, Text
from escadre.api.reason import reason_as_name
from escadre.reasons import Reason

__all__ = [
    "CHANGES",
    "CapacityFrom",
    "Denied",
    "LastScale",
    "LearnedSpeed",
    "ScalingStatus",
    "Signal",
    "SkewStatus",
]

CHANGES: Final = Entries(20, "last")
Signal = Literal["Requests", "Rate", "Partial", "Unknown"]
CapacityFrom = Literal["Fixed", "Prior", "Learned"]
_Number = Annotated[int, Field(ge=0, le=1000)]
_Metric = Annotated[str, Field(max_length=128)]
_Wanted = Annotated[int, Field(ge=0, le=1 << 31)]
_Slot = Annotated[int, Field(ge=0, le=1 << 31)]
_Requests = Annotated[int, Field(ge=0, le=1 << 31)]
_OfEstimate = Annotated[int, Field(ge=50, le=200)]


class LastScale(Model):
    """A change of the number of replicas."""

    from_: _Number = Field(alias="from", description="Before.")
    to: _Number = Field(description="After.")
    demand: _Requests = Field(description="Requests running and waiting over all replicas.")
    target: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="Requests per replica aimed at."
    )
    reason: Annotated[Reason, reason_as_name()] = Field(description="Stable reason.")
    at: datetime = Field(description="When.")


class Denied(Model):
    """Replicas that are wanted and have no GPUs."""

    replicas: _Number = Field(description="How many of the desired.")
    message: Annotated[str, Text(1024)] = Field(
        description="What they would need, what is free, and who holds the GPUs."
    )


class LearnedSpeed(Model):
    """Times that were measured of replicas of one kind, in percent of those that were estimated."""

    key: Annotated[str, Field(max_length=16, pattern="^[0-9a-f]{16}$")] = Field(
        description="Names weights, GPUs, layout, engine and flags of those replicas: of others it "
        "says nothing."
    )
    prompt_percent: _OfEstimate = Field(description="To read a token of a prompt.")
    step_percent: _OfEstimate = Field(description="The part of a step that is always the same.")
    request_percent: _OfEstimate = Field(description="What each running request adds to a step.")
    cached_token_percent: _OfEstimate = Field(
        description="What each token in the cache adds to a step."
    )


class SkewStatus(Model):
    """Two replicas between which the requests are badly spread."""

    fullest: _Slot = Field(description="Number of the replica that has most requests.")
    fullest_requests: _Requests = Field(description="How many it has.")
    emptiest: _Slot = Field(description="Number of the replica that has fewest.")
    emptiest_requests: _Requests = Field(description="How many it has.")


class ScalingStatus(Model):
    """What the number of replicas rests on; numbers are as old as the status at most."""

    signal: Signal = Field(
        description="What the demand is known from. Requests: those in the engines; Rate: besides, "
        "how many came and how much work they were; Partial: some ready replica tells nothing; "
        "Unknown: none does, the number is held."
    )
    signal_age_seconds: Annotated[int, Field(ge=0, le=1 << 31)] | None = Field(
        default=None,
        description="Age of the oldest reading that counts, where it is 10 s or more, in steps of "
        "5.",
    )
    demand: _Requests | None = Field(
        default=None, description="Requests running and waiting that are known of."
    )
    requests_per_minute: _Requests | None = Field(
        default=None, description="Rate of requests that is reckoned with, for signal Rate."
    )
    capacity: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None,
        description="Requests that one replica is to hold; for signal Rate missing while none "
        "come, for it follows from their length.",
    )
    capacity_per_minute: _Requests | None = Field(
        default=None, description="Requests that one replica serves within its service level."
    )
    capacity_from: CapacityFrom | None = Field(
        default=None,
        description="Fixed: scaling.targetQueueDepth or its default; Prior: reckoned from layout "
        "and GPU; Learned: measured on the engines.",
    )
    learned: LearnedSpeed | None = Field(
        default=None,
        description="What was measured last, for the operator that leads next: it begins from this "
        "where replicas are of that kind.",
    )
    kept_for_bursts: _Number | None = Field(
        default=None,
        description="Replicas that bursts of the last hour need before they come, for they are "
        "over before one has loaded; the operator that leads next keeps as many until it has seen "
        "an hour itself.",
    )
    shared_percent: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="How evenly requests are shared among the replicas, counted from what each "
        "holds: missing or 0 as a Service chooses, by chance; 100 as from one queue. The more "
        "even, the more each of several serves; the operator that leads next begins from it.",
    )
    desired_before_limits: _Wanted | None = Field(
        default=None, description="Replicas that the demand alone asks for."
    )
    limits: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = Field(
        default_factory=list,
        description="Each limit that made it another number: minReplicas, schedule, maxReplicas, "
        "spareReplicas, approval, unknown (metrics are missing), stabilisation, restart, load "
        "(replicas that load), redistribution (the rest could not take the requests), bursts (kept "
        "for those that are over before a replica has loaded), gpus.",
    )
    min_replicas: _Number | None = Field(
        default=None, description="Replicas at least now: minReplicas, or a window's."
    )
    schedule: Annotated[int, Field(ge=0, le=15)] | None = Field(
        default=None,
        description="Number of the entry of scaling.schedules, from 0, that minReplicas of now "
        "comes from; missing where it is scaling.minReplicas.",
    )
    next_change_at: datetime | None = Field(
        default=None,
        description="When the number may be another at the earliest without a change of demand: "
        "fewer after the stabilisation time, or a window that begins or ends.",
    )
    denied: Denied | None = Field(
        default=None, description="What scarcity denies; missing where every replica has GPUs."
    )
    skew: SkewStatus | None = Field(
        default=None,
        description="One replica has a queue as long as its batch while another has a quarter of "
        "its requests at most, for half a minute: clients keep their connections, and no further "
        "replica would change it. Missing where requests are spread well enough.",
    )
    metric_aliases: Annotated[list[_Metric], Field(max_length=32)] | None = Field(
        default=None,
        description="Metrics that engines tell only under a name that vLLM has given up, by that "
        "name; they are read as today's. Missing where there are none.",
    )
    history: Annotated[list[LastScale], CHANGES] = Field(
        default_factory=list, description="The last 20 changes, the newest last."
    )
