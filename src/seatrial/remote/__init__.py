"""Commands on machines: behind one protocol, whatever carries them there."""
