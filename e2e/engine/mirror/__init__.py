"""A mirror of models for tests and the demo: Hugging Face's routes, a static tree, faults."""
