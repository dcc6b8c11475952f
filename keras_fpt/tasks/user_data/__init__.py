"""A person's own data as tasks."""
