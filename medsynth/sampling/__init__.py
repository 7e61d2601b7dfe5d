"""From a fitted model to synthetic rows: everything here is post-processing and costs no privacy.

strata        upsampling as a choice of strata, and what their rows weigh
draw          any number of rows, chunk by chunk, under any condition, edited or independent
select        the best of a pool of many times the rows, and `effect`: what that did
repair        rows that break a rule are drawn again
given_cells   records of which a user gives some cells, read strictly and kept verbatim
given_rows    given records completed; given_rules: rules where some cells are known
what_if       every record a second time, some columns set; drawing_of: what a user asked for
provenance    synthetic tables as files that say what they are
lineage       which synthetic tables a model was fitted on, generation after generation
"""
