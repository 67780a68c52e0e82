"""A stand-in for vLLM's OpenAI server: same flags, routes, metrics and drain, no model."""
