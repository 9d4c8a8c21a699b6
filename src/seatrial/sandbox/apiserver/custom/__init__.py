"""Custom resources: definitions (`apiextensions.k8s.io/v1`), and everything that follows from one.

`service` begins and ends the serving of each definition; `kind` is what the rest of the server asks about a custom
kind; `node` is a schema read once, on which `validation`, `shaping`, `list_types` and `rules` work. The
expression language of validation rules is in `cel`.
"""
