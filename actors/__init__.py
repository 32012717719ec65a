"""What runs: agents, groups and blocks as actors, and the system they live in."""
