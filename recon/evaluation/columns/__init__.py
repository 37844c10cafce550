"""The task of columns: specimens whose columns are known, and what each contender says of them."""
