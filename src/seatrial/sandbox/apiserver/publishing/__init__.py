"""What the API server says of itself: discovery, OpenAPI, versions, health."""
