"""How bytes travel once an HTTP connection has been upgraded: takeovers, SPDY/3.1, byte channels."""
