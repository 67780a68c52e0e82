"""--profile of `escadre simulate`: a ModelDeployment of a published model, nothing chosen. Pure.

What the catalog does not have is refused here, with what it has.
"""

from typing import Final

from escadre.cli.plan.wishfiles import WishText
from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.yamltext import yaml_text
from escadre.core.catalog.shelf import CATALOG, find, like, name_of, spelled_like
from escadre.core.listing import listed
from escadre.core.profile import DEFAULT_PROFILE

__all__ = ["published"]

_CONTEXT: Final = 32768
_REPLICAS: Final = 8
_NAMED: Final = 3


def published(name: str, max_replicas: int | None) -> WishText:
    """The deployment of the model of that name; raises BadInput where no layout is planned."""
    entry = find(name)
    if entry is None:
        raise BadInput(f"--profile {name}: no published model is called so; {_near(name)}")
    why = entry.unserved_by(DEFAULT_PROFILE)
    if why:
        raise BadInput(f"--profile {name}: no layout is planned for {entry.family}: {why}")
    spec = {
        "approval": name_of(entry),
        "contextLength": _CONTEXT,
        "scaling": {"minReplicas": 1, "maxReplicas": max_replicas or _REPLICAS},
    }
    body = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "simulated"},
        "spec": spec,
    }
    return WishText("--profile", yaml_text(body))


def _near(name: str) -> str:
    able = [one for one in CATALOG if not one.unserved_by(DEFAULT_PROFILE)]
    near = [name_of(one) for one in like(name) if one in able] or spelled_like(name, able)
    if near:
        return f"near it: {listed(near, _NAMED)}; escadre catalog list has all {len(able)}"
    newest = sorted(able, key=lambda one: one.released, reverse=True)
    names = listed([name_of(one) for one in newest], _NAMED)
    return f"there are {names}: escadre catalog list has all"
