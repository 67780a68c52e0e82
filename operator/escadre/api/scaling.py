"""What a ModelDeployment says of the number of its replicas: bounds, schedules, service level.

A part of ModelDeployment's spec. None of it shapes a replica: a change replaces no engine. Reading
stays lenient; what is wrong in itself or beside other fields, escadre.api.agreements says.
"""

import re
from typing import Annotated, Final

from pydantic import Field

from escadre.api.base import Model, explained
from escadre.crontimes import CRON_PATTERN, NO_AREAS, NO_ZONES, cron_fault, longest_gap, zone_fault
from escadre.cronwindows import Opening

__all__ = ["Scaling", "Schedule", "ServiceLevel"]

_Replicas = Annotated[int, Field(ge=1, le=1000)]
_DURATION: Final = r"^([1-9][0-9]{0,2}h([1-9][0-9]?m)?|[1-9][0-9]{0,3}m)$"
_DURATION_MEANT: Final = (
    "must be hours, minutes or both, e.g. 10h, 90m or 8h30m, from 1m to 999h59m"
)
_CRON_MEANT: Final = (
    "must be five fields as of a CronJob: minute, hour, day of the month, month, day of the week; "
    "e.g. 0 8 * * MON-FRI"
)
# CEL fails where it does not know a name, and the API server tells that with the message.
_ZONE_RULE: Final = (
    "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$') "
    f"&& !(self in {[*NO_ZONES]}) && !self.matches('^({'|'.join(NO_AREAS)})') "
    "&& timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0"
)
_ZONE_MEANT: Final = "must be a name of the IANA time zone database, e.g. Europe/Paris or UTC"


class Schedule(Model):
    """A window that comes again and again, and how many replicas run in it at least."""

    cron: Annotated[
        str,
        Field(
            max_length=128,
            json_schema_extra={"pattern": CRON_PATTERN, **explained(_CRON_MEANT)},
        ),
    ] = Field(description="When it begins: five fields as of a CronJob, e.g. 0 8 * * MON-FRI.")
    time_zone: Annotated[
        str,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-validations": [{"rule": _ZONE_RULE, "message": _ZONE_MEANT}]
            },
        ),
    ] = Field(description="Time zone of cron, e.g. Europe/Paris.")
    duration: Annotated[
        str,
        Field(max_length=7, json_schema_extra={"pattern": _DURATION, **explained(_DURATION_MEANT)}),
    ] = Field(
        description="How long it lasts from each beginning, e.g. 10h, 90m or 8h30m, in time that "
        "passes: where the clocks change meanwhile, it ends by another hour of the day."
    )
    min_replicas: _Replicas = Field(
        description="Replicas that run at least while it lasts; of several windows and "
        "scaling.minReplicas the most counts."
    )

    @property
    def fault(self) -> str:
        """What is wrong with one of its fields, "" for nothing; only then the rest may be asked."""
        told = {
            f"cron '{self.cron}'": cron_fault(self.cron),
            f"timeZone '{self.time_zone}'": zone_fault(self.time_zone),
            f"duration '{self.duration}'": ""
            if re.match(_DURATION, self.duration)
            else _DURATION_MEANT,
        }
        return next((f"{field} {fault}" for field, fault in told.items() if fault), "")

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        hours, _, rest = self.duration.rpartition("h")
        return 60 * int(hours or 0) + int(rest.rstrip("m") or 0)

    @property
    def ends(self) -> bool:
        """Whether there is ever a time without it."""
        return longest_gap(self.cron) > self.minutes

    @property
    def opening(self) -> Opening:
        """When it is open, to compare it with others."""
        return Opening(self.cron, self.time_zone, self.minutes)

    @property
    def words(self) -> str:
        """When it is open, as it was written."""
        return f"{self.cron} {self.time_zone} for {self.duration}"


class Scaling(Model):
    """How many replicas, and what makes them more or fewer."""

    min_replicas: _Replicas = Field(default=1, description="Replicas that always run.")
    max_replicas: _Replicas = Field(default=1, description="Replicas at most.")
    target_queue_depth: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None,
        description="Requests running and waiting per replica that the number of replicas aims "
        "at. Left out, the number follows what a replica serves within serviceLevel.",
    )
    spare_replicas: Annotated[int, Field(ge=0, le=999)] | None = Field(
        default=None,
        description="Replicas kept beyond what the demand asks for, up to maxReplicas: for bursts "
        "that are over before a replica has loaded. Default 0.",
    )
    schedules: Annotated[list[Schedule], Field(max_length=16)] | None = Field(
        default=None,
        description="Windows in which more replicas run at least, e.g. in working hours.",
    )


class ServiceLevel(Model):
    """How fast answers are to be; the number of replicas follows."""

    time_to_first_token_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None,
        description="From a request to the first token of its answer; default 2.",
    )
    inter_token_latency_milliseconds: Annotated[int, Field(ge=1, le=60_000)] | None = Field(
        default=None,
        description="Between two tokens, on the mean of an answer; default 200.",
    )
    percentile: Annotated[int, Field(ge=50, le=99)] | None = Field(
        default=None,
        description="Requests of a hundred that are to have both times at least; the others may "
        "wait longer. Default 95; 99 keeps more replicas for the same demand.",
    )
