"""What was measured, as a page to read: one HTML file and a folder of pictures, from disk and without a network."""
