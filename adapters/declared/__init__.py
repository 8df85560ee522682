"""Adapters declared in a YAML file: what a vendor's API looks like, as data and expressions in CEL."""
