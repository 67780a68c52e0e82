"""Escadre: keeps a fleet of Mistral models running on an organisation's own NVIDIA nodes."""

__all__ = ["__version__"]

__version__ = "0.2.0"
