"""The contract: values, protocols, settings and errors. Imports nothing of the workbench above it."""
