"""The contract: values, protocols, settings and errors. Imports nothing above it."""
