"""Plugins: contract, discovery and catalog."""
