"""The ways in which a policy names pods, one file each; `targets.pods` makes one set of them."""
