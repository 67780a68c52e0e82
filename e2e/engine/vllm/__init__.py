"""The real vLLM, as a CPU build from PyPI, for ``ENGINE=vllm``."""
