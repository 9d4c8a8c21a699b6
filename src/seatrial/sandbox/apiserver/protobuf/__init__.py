"""Kubernetes' protobuf form of objects, both ways: begin with `objects`; `messages` knows fields, `wire` the format."""
