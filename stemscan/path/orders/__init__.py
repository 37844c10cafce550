"""In what sequence the pixels of a pass are visited: arrangements of the strips that any source makes."""
