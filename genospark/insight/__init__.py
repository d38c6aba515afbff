"""What models and tables say beyond predictions: who regulates whom. Reads bundles and tables, and writes tables."""
