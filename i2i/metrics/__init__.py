"""What is measured: plain functions that hold the mathematics, and torchmetrics classes that collect over processes."""
