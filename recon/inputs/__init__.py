"""From a store or arrays to what a method gets."""
