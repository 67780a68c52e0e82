"""Settings of the processes: one YAML file (the chart's ConfigMap), validated before anything runs.

Read once in cli/; passed down from there.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from escadre import reasons, strictyaml
from escadre.engineflags import VERSION, flags_for, stand_in
from escadre.errors import EscadreError, Refusal
from escadre.fieldfaults import first_fault, shown
from escadre.names import MIRROR_FOLDERS_PATH

__all__ = [
    "LEAST_CAP",
    "AgentSettings",
    "ApprovalSettings",
    "EngineSettings",
    "NetworkSettings",
    "PolicyExpectation",
    "ScalingSettings",
    "Settings",
    "load",
]


# Bytes per second: a piece of 1 MiB has to come within the second or so that servers and proxies
# wait for a reader, and 48 GB take half a day.
LEAST_CAP: Final = 1_000_000


class _Section(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class EngineSettings(_Section):
    """The platform's side of the engine pods."""

    image: Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")] = Field(
        description="vLLM OpenAI server image, pinned by digest."
    )
    version: Annotated[str, Field(pattern=f"^{VERSION}$")] | None = Field(
        default=None,
        description="vLLM's version in that image: by its rules layouts are judged, with its flags "
        "engines are started; unset: 0.32.",
    )
    image_pull_secrets: list[str] = Field(default_factory=list)
    runtime_class_name: str | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, Any]] = Field(default_factory=list)
    extra_args: list[Annotated[str, Field(pattern=r"^--[a-z0-9_.-]+(=[^\s]*)?$")]] = Field(
        default_factory=list,
        description="Further vLLM flags of the platform; none that changes what is planned.",
    )
    env: dict[str, str] = Field(default_factory=dict)
    cpu: str = "4"
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*(Mi|Gi)$")] = Field(
        default="16Gi", description="For each GPU of a replica: one engine process drives one GPU."
    )
    shared_memory: str = "8Gi"
    cache_size: str = "10Gi"
    run_as_user: Annotated[int, Field(ge=1)] = 65534
    gpu_memory_utilization_percent: Annotated[int, Field(ge=50, le=98)] = 92
    load_bytes_per_second: Annotated[int, Field(ge=1)] = Field(
        default=200_000_000, description="Slowest weight loading that is still a healthy start."
    )
    startup_base_seconds: Annotated[int, Field(ge=10)] = 300
    drain_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None,
        description="How long a replica may finish its requests. Unset: as long as its longest "
        "answer takes, from 5 to 30 minutes.",
    )
    probe_period_seconds: Annotated[int, Field(ge=1, le=60)] = 5

    @field_validator("extra_args")
    @classmethod
    def _leave_the_plan_alone(cls, given: list[str], others: ValidationInfo) -> list[str]:
        version = others.data.get("version")
        flags, note = flags_for(version), stand_in(version)
        refused = [why for word in given if (why := flags.refusal(word))]
        if wrong := refused or flags.clashes(given):
            raise ValueError("; ".join([*wrong, *([note] if note else [])]))
        return given


class ApprovalSettings(_Section):
    """What every approval needs at least."""

    minimum: Annotated[int, Field(ge=1, le=16)] = 2
    warn_days: Annotated[int, Field(ge=0, le=365)] = 14


class ScalingSettings(_Section):
    """How scaling looks and waits."""

    scrape_seconds: Annotated[float, Field(ge=0.5, le=60)] = 3
    stale_seconds: Annotated[float, Field(ge=1, le=600)] = 15
    down_stabilization_seconds: Annotated[float, Field(ge=0, le=86400)] = 300


class NetworkSettings(_Section):
    """Who may reach the engines beside their own namespace and the operator."""

    ingress_namespaces: list[str] = Field(default_factory=list)


class PolicyExpectation(_Section):
    """A ValidatingAdmissionPolicy or binding that must be live exactly as the chart made it."""

    kind: Literal["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    name: str
    spec: dict[str, Any] = Field(description="The whole spec, API defaults written out.")


class OperatorSettings(_Section):
    """The operator process."""

    workers: Annotated[int, Field(ge=1, le=64)] = 16
    queries_per_second: Annotated[float, Field(gt=0)] = 200
    burst: Annotated[int, Field(ge=1)] = 400
    health_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 9090
    status_interval_seconds: Annotated[float, Field(ge=0)] = 30
    resync_seconds: Annotated[float, Field(ge=10)] = 600


def _network(text: str) -> str:
    ip_network(text)  # its ValueError names what is wrong
    return text


_Cidrs = Annotated[list[Annotated[str, AfterValidator(_network)]], Field(max_length=64)]


class AgentSettings(_Section):
    """The agent process."""

    store_path: Path = Path("/var/lib/escadre")
    mirror_secrets: list[str] = Field(default_factory=list)
    mirror_allowed_cidrs: _Cidrs = Field(
        alias="mirrorAllowedCIDRs",
        default_factory=list,
        description="Networks that mirrors may be in whatever addresses those are: loopback, "
        "link-local and the API server's are refused otherwise.",
    )
    mirror_refused_cidrs: _Cidrs = Field(
        alias="mirrorRefusedCIDRs",
        default_factory=list,
        description="Further networks where no mirror may be.",
    )
    mirror_folders: list[str] = Field(
        default_factory=list,
        description=f"Names of the folders mounted below {MIRROR_FOLDERS_PATH}: mirrors of type "
        "folder.",
    )
    inventory: Literal["nvml", "simulated"] = "nvml"
    simulated_gpus: Path | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 9091
    progress_seconds: Annotated[float, Field(ge=0.5)] = 3
    concurrent_files: Annotated[int, Field(ge=1, le=64)] = 4
    concurrent_chunks: Annotated[int, Field(ge=1, le=64)] = 8
    slow_bytes_per_second: Annotated[int, Field(ge=0)] = 1_000_000
    max_bytes_per_second: Annotated[int, Field(ge=0)] = 0

    @field_validator("max_bytes_per_second")
    @classmethod
    def _none_or_enough(cls, given: int) -> int:
        if 0 < given < LEAST_CAP:
            raise ValueError(
                f"{given:,} bytes per second; {LEAST_CAP:,} is the least that a pull gets on with "
                "before its mirror closes the connection, and 0 means no cap"
            )
        return given


class Settings(_Section):
    """All of it: the content of the file."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)] = "escadre-system"
    engine: EngineSettings
    approvals: ApprovalSettings = ApprovalSettings()
    scaling: ScalingSettings = ScalingSettings()
    network: NetworkSettings = NetworkSettings()
    operator: OperatorSettings = OperatorSettings()
    agent: AgentSettings = AgentSettings()
    policies: list[PolicyExpectation] = Field(default_factory=list)


def load(path: Path) -> Settings:
    """Reads the settings file.

    Raises:
        Refusal: reason InvalidSpec, naming the file, the field and what is wrong with it.
        EscadreError: there is no such file, or it cannot be read.
    """
    try:
        found = strictyaml.load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(found, dict):
            raise Refusal(
                reasons.INVALID_SPEC,
                f"settings {path}: {shown(found)} is given; an object with fields is meant",
            )
        return Settings.model_validate(found)
    except OSError as error:
        raise EscadreError(f"reading settings {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Refusal(
            reasons.INVALID_SPEC, f"reading settings {path}: it is not text in UTF-8"
        ) from error
    except strictyaml.KeyTwice as error:
        raise Refusal(reasons.INVALID_SPEC, f"reading settings {path}, {error}") from error
    except yaml.YAMLError as error:
        raise Refusal(
            reasons.INVALID_SPEC, f"reading settings {path}: not YAML: {error}"
        ) from error
    except ValidationError as error:
        raise Refusal(reasons.INVALID_SPEC, f"settings {path}: {first_fault(error)}") from error
