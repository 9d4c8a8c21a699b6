"""The address of an HTTP proxy as policies have it: a URL, or a host and port as the variable HTTPS_PROXY has them."""

from urllib.parse import urlsplit

from seatrial.errors import ConfigurationError


def proxy_url(address: str) -> str:
    """The URL of a proxy; empty for an empty address.

    Raises:
        ConfigurationError: it is no address; it isn't repeated, since it may hold a password.
    """
    if not address:
        return ""
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("the proxy is no address", hint="such as http://proxy.example.com:3128")
    return url
