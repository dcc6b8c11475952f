"""Tables: their formats, their cells, and which rows make a sequence."""
