"""Whether the ModelDeployment of a pass is still there.

The caches hear of a deletion by several watches, in any order: Kubernetes collects the children of
one that was deleted, and their deletions may be heard of before its own. What is made then is
collected again.
"""

from dataclasses import dataclass, field

from escadre.clients.kube import MODEL_DEPLOYMENTS, Api, Selection
from escadre.state.caches import Caches
from escadre.state.views import DeploymentView

__all__ = ["Wished"]


@dataclass(slots=True)
class Wished:
    """One deployment during one pass."""

    api: Api
    caches: Caches
    view: DeploymentView
    _looked: bool | None = field(default=None, init=False)  # what the API server said

    @property
    def stands(self) -> bool:
        """By what was heard so far, whether anything is still to be done for it."""
        now = self.caches.deployments.get(self.view.name, self.view.namespace)
        known = now is not None and now.uid == self.view.uid and not now.terminating
        return known and self._looked is not False

    async def look(self) -> bool:
        """Asks the API server, once a pass: before a child is made that was there before."""
        if self._looked is None:
            where = Selection(self.view.namespace, fields=f"metadata.name={self.view.name}")
            page = await self.api.list_page(MODEL_DEPLOYMENTS, where, limit=1)
            metas = [one["metadata"] for one in page.items]
            self._looked = any(
                meta["uid"] == self.view.uid and "deletionTimestamp" not in meta for meta in metas
            )
        return self._looked
