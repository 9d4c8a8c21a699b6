"""Policies against one sandbox that all tests of a module share."""

from tests.e2e.conftest import cluster, on_cluster, program

__all__ = ["cluster", "on_cluster", "program"]
