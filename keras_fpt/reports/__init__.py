"""What people look at: the page, plots and attention maps."""
