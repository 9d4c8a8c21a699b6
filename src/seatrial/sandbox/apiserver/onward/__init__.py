"""Requests that go on to somewhere else: to kubelets, pods and services."""
