"""The step `clone`: a copy of a Deployment with a fault in it, beside the original, for the length of a scenario.

`step` carries it out, `model` is what a policy says, `copied_deployment` makes the manifest and `mutations` the fault
in it, `toxiproxy` and `keeper` configure the sidecars, `rollout` waits until the copy is there, `retargeting` turns
Services to it, `removal` takes it away again; `caveats` says what doesn't go well, `evidence` proves what no sidecar
tells.
"""
