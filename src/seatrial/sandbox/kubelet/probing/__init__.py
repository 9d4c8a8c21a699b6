"""Looks at containers: probes and lifecycle hooks."""
