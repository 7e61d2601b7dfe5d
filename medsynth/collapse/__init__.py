"""Refits on their own output: how many generations of synthetic tables a table bears.

    train ─▶ model ─▶ table 1 ─▶ model ─▶ table 2 ─▶ ...          each course, pure or with fresh real records
                        │                   │
    holdout ────────────┴──── measured ─────┴──▶ criterion fixed in advance ─▶ collapse.json, collapse.html (INTERNAL)

baselines   two generators without privacy: rows drawn again, and a tree of Chow and Liu
course      one generator from generation to generation
criterion   what counts as safe, fixed before anything is measured
command     `medsynth collapse`
"""
