"""The doctor: what a healthy training looks like, and what to do where one does not."""
