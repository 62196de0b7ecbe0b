"""What people are asked: sheets that are written, filled in and read back."""
