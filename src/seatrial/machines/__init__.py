"""The machines under the nodes: one driver a cloud, behind one small protocol."""
