"""Which of the ways to the API server is taken: a kubeconfig, or the pod's own account.

Called by the processes' start; sends nothing.
"""

import os

from escadre.clients.kube.connection import Connection, ConnectionUnknown
from escadre.clients.kube.pod import pod_connection

__all__ = ["load_connection"]


async def load_connection(
    *, kubeconfig: str | None = None, context: str | None = None
) -> Connection:
    """Load a kubeconfig (given, ``$KUBECONFIG`` or the default), or the pod's own account.

    The pod's account is taken when nothing was asked for and the process runs in a pod.
    """
    wanted = kubeconfig or os.environ.get("KUBECONFIG") or None
    if wanted is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        what, connecting = "the pod's service account", _of_pod()
    else:
        what, connecting = "the kubeconfig", _of_kubeconfig(wanted, context)
    try:
        return await connecting
    except OSError as error:
        raise ConnectionUnknown(
            f"loading {what}: {error}; name a kubeconfig with --kubeconfig or $KUBECONFIG"
        ) from error


async def _of_pod() -> Connection:
    return pod_connection()


async def _of_kubeconfig(path: str | None, context: str | None) -> Connection:
    # Its library holds 17 MB, which no pod needs.
    from escadre.clients.kube import kubeconfig  # noqa: PLC0415 - see above

    return await kubeconfig.connect(path, context)
