"""How fast networks are in runtimes on this machine."""
