"""What vLLM itself says of layouts, asked once: see docs/develop/engine-versions.md."""
