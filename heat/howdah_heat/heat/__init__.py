"""What Heat's plugin loader walks: keep nothing here but modules that register resources."""
