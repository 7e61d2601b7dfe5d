"""Columns cut into cells: rows in, codes out, and back. Every boundary follows from the public schema alone.

raw, typed             raw cells, read one by one; columns read by their declared kind
domain, cells          attributes and their levels; what one column's cells can do
categories, numbers    cells of listed values; cells of integers, decimals and dates
grids, binning         public grids; bounds and bins from noisy counts on them
layout                 from a schema's column to its cells
codec                  a table to codes and back
condition              predicates as disjoint boxes of codes
bounding               what one person contributes
records                private rows behind a seam that only counts
comparison             what an evaluator sees
"""
