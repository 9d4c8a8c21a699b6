"""The API server: store, REST, watches, tables, discovery, authentication."""
