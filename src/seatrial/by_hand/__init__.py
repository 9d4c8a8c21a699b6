"""Breaking things by hand: what the interactive shell and the dashboard do, apart from how they look.

A command of a person becomes an `Order`, one step of the policy language, and a `HandSession` carries it out as a run
does: with plan, guardrails, journal, events and proof. What it changed stays until the person undoes it or leaves.
"""
