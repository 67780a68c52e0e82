"""Whether the kinds of Escadre are there to be watched. Asked by controller/run.py at the start."""

from escadre.api.kinds import KINDS
from escadre.clients.kube import CUSTOM_RESOURCE_DEFINITIONS, Api, ApiError, NotFound
from escadre.names import GROUP

__all__ = ["missing_crd"]


async def missing_crd(api: Api) -> str:
    """What stands in the way of watching every kind, "" when nothing does."""
    for kind in KINDS:
        name = f"{kind.plural}.{GROUP}"
        try:
            found = await api.get(CUSTOM_RESOURCE_DEFINITIONS, name)
        except NotFound:
            return f"waiting for CustomResourceDefinition {name}: helm upgrade --install brings it"
        except ApiError as error:
            return f"waiting for the API server: {error}"
        conditions = (found.get("status") or {}).get("conditions") or []
        if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            return f"waiting for CustomResourceDefinition {name} to be established"
    return ""
