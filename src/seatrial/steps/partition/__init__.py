"""The step `partition`: pods that can't reach each other, by NetworkPolicies.

`model` is what a policy says, `network_policies` what is created for it, `survey` decides where that can cut, `probe`
shows from inside whether it does, `keeper` follows addresses that change, `step` puts it together.
"""
