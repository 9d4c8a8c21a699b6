"""The policy language: reading, checking, and the schema of it.

`document` reads YAML with line marks, `models` has the top level, `base` what every model shares, `problems` prints
what is wrong with a file, `schema` makes the JSON Schema. The models of steps, actions, matchers and filters stand with
the code that carries them out.
"""
