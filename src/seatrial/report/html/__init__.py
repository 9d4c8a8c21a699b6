"""A report as one HTML file that needs nothing else: no network, no script."""

from seatrial.report.html.page import page

__all__ = ["page"]
