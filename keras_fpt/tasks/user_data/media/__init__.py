"""Folders of images, sounds and recordings, and tables that name files."""
