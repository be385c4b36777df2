"""Models for others to run: a folder without code, and graphs for ONNX and torch.export."""
