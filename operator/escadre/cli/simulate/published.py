"""--profile of `escadre simulate`: a ModelDeployment of a published model, nothing chosen. Pure."""

from typing import Final

from escadre.cli.catalog.named import planned_entry
from escadre.cli.plan.wishfiles import WishText
from escadre.cli.shared.yamltext import yaml_text
from escadre.core.catalog.shelf import name_of
from escadre.core.profile import DEFAULT_PROFILE

__all__ = ["published"]

_CONTEXT: Final = 32768
_REPLICAS: Final = 8


def published(name: str, max_replicas: int | None) -> WishText:
    """The deployment of the model of that name; raises BadInput as `planned_entry` does."""
    entry, told = planned_entry(name, "--profile", DEFAULT_PROFILE)
    spec = {
        "approval": name_of(entry),
        "contextLength": min(_CONTEXT, told.max_context_length),
        "scaling": {"minReplicas": 1, "maxReplicas": max_replicas or _REPLICAS},
    }
    body = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "simulated"},
        "spec": spec,
    }
    return WishText("--profile", yaml_text(body))
