"""The speed estimate beside measured runs of vLLM: see docs/use/how-it-decides.md."""
