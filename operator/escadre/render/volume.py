"""The gate of the weights: a read-only local volume that only verified nodes have; its claim."""

from typing import Any, Final

from escadre.names import (
    STORE_PATH,
    claim_name,
    digest_hex,
    node_weights_label,
    volume_name,
)
from escadre.render.labels import Owner, metadata, owner_labels

__all__ = ["claim", "volume"]

# The bytes lie in the node's store already; a namespace quota on requests.storage counts this.
NOMINAL_CAPACITY: Final = "1Mi"


def volume(owner: Owner, digest: str, claim_uid: str | None) -> dict[str, Any]:
    """The volume. ``mountOptions: [ro]``, because ReadOnlyMany alone is not read-only.

    Args:
        owner: the deployment.
        digest: manifest digest.
        claim_uid: uid of the live claim, where the volume must be tied to it again: a volume keeps
            the uid of a deleted claim and stays Released until it is given the new one.
    """
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": owner.namespace,
        "name": claim_name(owner.name, digest),
    }
    if claim_uid:
        reference["uid"] = claim_uid
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(owner.namespace, owner.name, owner.uid, digest),
            "labels": owner_labels(owner),
        },
        "spec": {
            "capacity": {"storage": NOMINAL_CAPACITY},
            "accessModes": ["ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "volumeMode": "Filesystem",
            "mountOptions": ["ro"],
            "claimRef": reference,
            "local": {"path": f"{STORE_PATH}/models/{digest_hex(digest)}"},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {
                                    "key": node_weights_label(digest),
                                    "operator": "In",
                                    "values": ["verified"],
                                }
                            ]
                        }
                    ]
                }
            },
        },
    }


def claim(owner: Owner, digest: str) -> dict[str, Any]:
    """The claim that the deployment's pods mount."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(owner, claim_name(owner.name, digest)),
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "volumeMode": "Filesystem",
            "volumeName": volume_name(owner.namespace, owner.name, owner.uid, digest),
            "resources": {"requests": {"storage": NOMINAL_CAPACITY}},
        },
    }
