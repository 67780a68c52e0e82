"""What the operator that runs is configured with, for whoever may read it.

The chart keeps it in a ConfigMap beside the operator, which not everybody may read. Asked by
`escadre plan` and `escadre approve draft`, which judge as that operator would.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from escadre.clients.kube import CONFIG_MAPS, Api, Forbidden, NotFound
from escadre.core.profile import Profiled, profile_for

__all__ = ["EngineConfig", "read_engine_config", "read_section"]

_NAME: Final = "escadre"
_FILE: Final = "config.yaml"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The section ``engine`` of the settings; ``unread`` says why it is not known, "" if it is."""

    section: Mapping[str, Any] = field(default_factory=dict)
    unread: str = ""

    @property
    def profiled(self) -> Profiled:
        """The profile of the version of vLLM that the operator judges layouts for."""
        with suppress(ValueError):  # another version of the chart may write it otherwise
            return profile_for(str(version) if (version := self.section.get("version")) else None)
        return profile_for(None)


async def read_engine_config(api: Api, namespace: str) -> EngineConfig:
    """Reads the ConfigMap beside the operator in ``namespace``."""
    section = await read_section(api, namespace, "engine")
    return EngineConfig(unread=section) if isinstance(section, str) else EngineConfig(section)


async def read_section(api: Api, namespace: str, name: str) -> Mapping[str, Any] | str:
    """A section of the settings; why it is not known instead."""
    try:
        found = await api.get(CONFIG_MAPS, _NAME, namespace=namespace)
    except Forbidden:
        return f"You may not read ConfigMap {namespace}/{_NAME}"
    except NotFound:
        why = f"There is no ConfigMap {namespace}/{_NAME}; name its namespace with "
        return f"{why}--system-namespace"
    section = _section((found.get("data") or {}).get(_FILE, ""), name)
    if section is None:
        return f"{_FILE} of ConfigMap {namespace}/{_NAME} cannot be read"
    return section


def _section(text: str, name: str) -> Mapping[str, Any] | None:
    """That section, whatever else a newer or older version wrote there."""
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    section = whole.get(name) if isinstance(whole, dict) else None
    return section if isinstance(section, dict) else None
