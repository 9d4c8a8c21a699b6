"""A run as a report tells it: gathered once from what a store keeps, and written as HTML, JSON, JUnit or Markdown.

`model` has what it holds, `gathering` puts it together; the other modules each gather one part of it.
"""
