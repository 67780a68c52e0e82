"""Pulls one model: manifest, what is missing, space, bytes, folder, record.

Each step can be repeated: after any end, a kill included, the next pull goes on with what is
verified. Runs in a thread of its own, started by agent/keeper.py; touches no Kubernetes.
"""

import threading
from dataclasses import dataclass

from escadre import reasons
from escadre.agent.pull import pagecache
from escadre.agent.pull.handout import Handout, Missing
from escadre.agent.pull.intake import Setting
from escadre.agent.pull.meter import Meter
from escadre.agent.pull.seeking import probe_file
from escadre.agent.pull.transfer import Transfer, TransferLimits
from escadre.agent.pull.width import Width
from escadre.agent.store.records import ModelRecord
from escadre.agent.store.store import Store
from escadre.agent.threads import while_wanted
from escadre.clients.sources.errors import DigestMismatch
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.retry import Cancelled, attempt
from escadre.core.weights import manifest as manifests
from escadre.core.weights.manifest import Chunk, Manifest, ManifestError, ManifestFile
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
        with self.meter.hashing():
            missing = [file for file in unique.values() if not blobs.holds(file, self._check)]
            blobs.recheck(missing, self._check)
        present = manifest.total_bytes - sum(file.size for file in missing)
        self.meter.expect(manifest.total_bytes, present)
        if not missing:
            return
        blobs.reserve(missing, len(manifest.folders))
        chunks = {file.sha256: self._missing(file) for file in missing}
        absent = sum(chunk.size for each in chunks.values() for chunk in each)
        self.meter.expect(manifest.total_bytes, manifest.total_bytes - absent)
        for file in missing:
            if not chunks[file.sha256]:  # it is empty, or was whole at the last crash
                with blobs.partial(file) as partial:
                    blobs.commit(partial)
        indexes = {sha256: [chunk.index for chunk in each] for sha256, each in chunks.items()}
        self._transfer([Missing(f, indexes[f.sha256]) for f in missing if indexes[f.sha256]])

    def _transfer(self, missing: list[Missing]) -> None:
        missing = sorted(missing, key=lambda each: (-each.file.size, each.file.path))
        several = any(len(each.chunks) > 1 for each in missing)
        probe = probe_file([each.file for each in missing]) if several else None
        handout = Handout(
            sorted(missing, key=lambda each: each.file is not probe),
            files=self.limits.files,
            width=Width(self.limits.chunks),
            retry=self.limits.retry,
        )
        absent = sum(each.file.size for each in missing)
        setting = Setting(self.mirror, self.store.blobs, self.meter, pagecache.fits(absent))
        Transfer(handout, setting, self.stop, self.limits).run(probe)

    def _missing(self, file: ManifestFile) -> list[Chunk]:
        with self.store.blobs.partial(file) as partial:
            return list(partial.missing())

    def _fetch_manifest(self) -> Manifest:
        def fetch() -> bytes:
            text = self.mirror.manifest(self.digest)
            if (got := manifests.digest(text)) != self.digest:
                raise DigestMismatch(
                    f"{self.mirror.manifest_url(self.digest)} has {got}, approved is {self.digest}"
                )
            return text

        text = while_wanted(
            lambda: attempt(fetch, self.limits.retry, self.stop.wait), self.stop, "manifest"
        )
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
