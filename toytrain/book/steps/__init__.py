"""The code of each section of the book, one file each: what it computes, never what is published."""
