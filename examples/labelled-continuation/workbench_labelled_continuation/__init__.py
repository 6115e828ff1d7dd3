"""Sound continuation with a label as the condition."""
