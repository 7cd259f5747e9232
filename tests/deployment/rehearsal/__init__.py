"""The container files tried out without an image registry: `make rehearsal`."""
