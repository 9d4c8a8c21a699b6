"""A report as one HTML file that needs nothing else, no network and no script: `page` writes it."""
