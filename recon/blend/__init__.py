"""Columns and FSHNet together, each where it predicts the counts."""
