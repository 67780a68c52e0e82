"""S3 stores as mirrors: where a bucket holds what, its lists, and how requests are signed."""
