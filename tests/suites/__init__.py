"""Suites that others wrote for stores of events, run on ours; `docs/evidence-suites.md` counts them."""
