"""Pulls one model: manifest, what is missing, space, bytes, folder, record.

Each step can be repeated: after any end, a kill included, the next pull goes on with what is
verified. Runs in a thread of its own, started by agent/keeper.py; touches no Kubernetes.
"""

import threading
from dataclasses import dataclass

from escadre import reasons
from escadre.agent.pull.fetch import Fetcher
from escadre.agent.pull.meter import Meter
from escadre.agent.pull.transfer import Transfer, TransferLimits
from escadre.agent.store.records import ModelRecord
from escadre.agent.store.store import Store
from escadre.clients.sources.errors import DigestMismatch
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.retry import Cancelled, attempt
from escadre.core.weights import manifest as manifests
from escadre.core.weights.manifest import Manifest, ManifestError, ManifestFile
from escadre.errors import Refusal

__all__ = ["Pull"]


@dataclass(frozen=True, slots=True)
class Pull:
    """One model on its way into the store.

    Args:
        digest: which weights.
        total: bytes of all files, as the approval has it.
        mirror: where they come from.
        store: where they go.
        meter: follows the progress.
        stop: set it to call the pull off; what is verified stays.
        limits: how much at once.
    """

    digest: str
    total: int
    mirror: Source
    store: Store
    meter: Meter
    stop: threading.Event
    limits: TransferLimits

    def run(self) -> ModelRecord:
        """Pull, verify and publish; raises Refusal with the reason, or Cancelled."""
        manifest = self.store.models.manifest(self.digest) or self._fetch_manifest()
        if manifest.total_bytes != self.total:
            raise Refusal(
                reasons.APPROVAL_INVALID,
                f"the approval's files have {self.total:,} bytes, those of its manifest "
                f"{self.digest} have {manifest.total_bytes:,}; draft the approval again",
            )
        self._fetch_files(manifest)
        return self.store.models.publish(self.digest, manifest)

    def _fetch_files(self, manifest: Manifest) -> None:
        blobs = self.store.blobs
        unique = {file.sha256: file for file in manifest.files}
        missing = [file for file in unique.values() if not blobs.holds(file, self._check)]
        present = manifest.total_bytes - sum(file.size for file in missing)
        self.meter.expect(manifest.total_bytes, present)
        if not missing:
            return
        blobs.recheck(missing, self._check)
        blobs.reserve(missing, len(manifest.folders))
        begun = sum(self._begun(file) for file in missing)
        self.meter.expect(manifest.total_bytes, present + begun)
        retry, wait = self.limits.retry, self.stop.wait
        fetcher = Fetcher(self.mirror, blobs, self.meter, retry, wait)
        Transfer(missing, blobs=blobs, fetcher=fetcher, stop=self.stop, limits=self.limits).run()

    def _begun(self, file: ManifestFile) -> int:
        with self.store.blobs.partial(file) as partial:
            return partial.done_bytes

    def _fetch_manifest(self) -> Manifest:
        def fetch() -> bytes:
            text = self.mirror.manifest(self.digest)
            if (got := manifests.digest(text)) != self.digest:
                raise DigestMismatch(
                    f"{self.mirror.manifest_url(self.digest)} has {got}, approved is {self.digest}"
                )
            return text

        text = attempt(fetch, self.limits.retry, self.stop.wait)
        try:
            manifest = manifests.parse(text)
        except ManifestError as error:
            raise Refusal(
                reasons.APPROVAL_INVALID,
                f"the approved manifest {self.digest} cannot be used: {error}",
            ) from error
        self.store.models.keep_manifest(self.digest, text)
        return manifest

    def _check(self) -> None:
        if self.stop.is_set():
            raise Cancelled("the pull was called off")
