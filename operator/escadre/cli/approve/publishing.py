"""How a manifest comes onto a mirror: what a person does, for each kind of mirror. Pure."""

from pathlib import Path
from urllib.parse import urlsplit

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.oci.artifact import repository_name

__all__ = ["how_to_publish"]


def how_to_publish(manifest: Path, spec: ModelMirrorSpec | None, repository: str) -> str:
    """One line, without the number of the step; None is a mirror that nobody could be asked of."""
    if spec is None:
        return f"copy {manifest} to where the mirror keeps its manifests"
    if spec.s3:
        key = "/".join(
            part for part in (spec.s3.bucket, spec.s3.prefix, "escadre-manifests") if part
        )
        return f"aws s3 cp {manifest} s3://{key}/ --endpoint-url {spec.url}"
    if spec.folder:
        return f"copy {manifest} to escadre-manifests/ of the folder {spec.folder.name}"
    if spec.type == "oci":
        tag = f"escadre-{manifest.stem}"
        host = urlsplit(spec.url or "").netloc
        try:
            name = repository_name(spec.url or "", repository)
        except ValueError as error:
            return f"name another mirror: {error}"
        # ORAS takes the path for the file's name, and an absolute one only when told to.
        absolute = " --disable-path-validation" if manifest.is_absolute() else ""
        return f"oras push{absolute} {host}/{name}:{tag} {manifest}"
    return f"copy {manifest} to {spec.manifests_base}/"
