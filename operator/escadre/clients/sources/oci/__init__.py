"""OCI registries as mirrors: what an artifact says, who may read it, and the source over both."""
