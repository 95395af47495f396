"""Vanishing and exploding gradients: measured, drawn, reported."""
