"""URLs of addresses as Kubernetes gives them: IPv6 ones go into brackets. Pure."""

__all__ = ["origin"]


def origin(scheme: str, host: str, port: int | str) -> str:
    """Scheme, host and port; ``host`` is a name or an address."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
