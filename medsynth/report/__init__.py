"""The report: collect plain values, make an edition, render it, write it.

    collect(...) -> ReportContent (internal) -> edition_of(...) -> report_json / render -> write_reports

Nothing heavy is imported before a page is rendered.
"""

from medsynth.report.blocks import Appendix, Note
from medsynth.report.content import ReportContent, collect, report_json, report_json_schema
from medsynth.report.editions import edition_of
from medsynth.report.writer import report_files, write_reports

__all__ = [
    "Appendix",
    "Note",
    "ReportContent",
    "collect",
    "edition_of",
    "report_files",
    "report_json",
    "report_json_schema",
    "write_reports",
]
