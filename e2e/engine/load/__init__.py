"""A load generator that counts lost requests strictly."""
