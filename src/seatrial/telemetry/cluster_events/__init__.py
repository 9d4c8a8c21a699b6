"""Kubernetes Events on what experiments hit, so that `kubectl describe` and `kubectl get events` tell who did it.

`notes` says what an event of a run means to its targets, `subjects` finds what an Event is to be about, `writer` writes
them in the form of `events.k8s.io/v1`, `follower` does all of it beside the run.
"""
