"""Tables: what `kubectl get` shows, computed by the server as a real one does.

`columns` has the column definitions, `cells` what stands in them, `pod_cells` the rules for pods; `table` puts them
together.
"""
