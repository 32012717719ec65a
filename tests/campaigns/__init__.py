"""Campaigns on real processes and real files: kills, power cuts, and disks that fail.

Each is a module with a small size for every day (`tests/test_campaigns.py`) and a big one:
`python -m tests.campaigns.NAME big`.
"""
