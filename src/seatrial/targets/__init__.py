"""Who is hit: matchers find candidates, filters narrow them down."""
