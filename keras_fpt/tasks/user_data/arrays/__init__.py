"""Arrays, data sets and the files that hold them."""
