"""CEL, the expression language of validation rules, with the functions Kubernetes adds to it.

`syntax` reads an expression, `checking` finds what can be found wrong without values, `evaluation` computes it with
`values`, `operators`, `macros` and `functions`. See the CEL specification and "Common Expression Language in
Kubernetes".
"""
