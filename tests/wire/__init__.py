"""Tests over the wire, against a model server that others wrote."""
