"""The tables of what there is on a cluster: which columns each kind has, and what stands in a row's JSON."""
