"""Tables in, batches out: read, clean, audit, split, version."""
