"""Policies that several tests plan and run."""

KILL_ONE = """
config: {seed: 7, runStrategy: {runs: 1}}
scenarios:
- name: one of them
  steps:
  - podAction:
      matches: [{labels: {selector: app=web, namespace: default}}]
      filters: [{randomSample: {size: 1}}]
      actions: [{kill: {force: true}}]
"""
