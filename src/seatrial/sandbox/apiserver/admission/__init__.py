"""Admission: what the API server adds to a write, or refuses, after it knows who asks and before it stores.

`chain` runs the plugins in Kubernetes' order ("Admission Control in Kubernetes", the plugins that are on by default);
each of the other modules is one plugin, or two that share a subject.
"""
