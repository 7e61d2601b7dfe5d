"""What only a browser can tell: requests, width on a phone, printed pages."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Chromium = Callable[..., str]
MEASURE = """<body style="margin:0"><iframe id="f" style="width:390px;height:844px;border:0"
 srcdoc="{page}"></iframe><script>onload = () => {{ const d = f.contentDocument;
 const wide = [...d.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip, table')
   && e.getBoundingClientRect().right > 391).map(e => e.tagName + '.' + e.className);
 document.body.outerHTML = '<p>' + d.documentElement.scrollWidth + ' ' + wide.join(',') + '</p>' }};
</script>"""


def requests(log: Path) -> set[str]:
    """Addresses in Chromium's network log that are neither a file nor inside the page."""
    events = json.loads(log.read_text("utf-8"))["events"]
    urls = {str(event.get("params", {}).get("url", "")) for event in events}
    return {url for url in urls if re.match(r"(https?|wss?|ftp):", url)}


def test_page_makes_no_outside_request(chromium: Chromium, written: Path, tmp_path: Path) -> None:
    calling = tmp_path / "calling.html"
    calling.write_text('<img src="http://outside.invalid/x.png">', encoding="utf-8")
    logs = {}
    for name, page in (
        ("control", calling),
        ("internal", written / "internal" / "report.html"),
        ("shareable", written / "shareable" / "report.html"),
    ):
        log = tmp_path / f"{name}.json"
        chromium(f"--log-net-log={log}", "--dump-dom", page.as_uri())
        logs[name] = requests(log)
    assert "http://outside.invalid/x.png" in logs["control"]
    # What the browser itself asks for (its update service) it asks for with the control page too.
    browser_hosts = {url.split("/")[2] for url in logs["control"]} - {"outside.invalid"}
    for name in ("internal", "shareable"):
        assert {url.split("/")[2] for url in logs[name]} <= browser_hosts


@pytest.mark.parametrize("edition", ["internal", "shareable"])
def test_page_fits_a_phone(chromium: Chromium, written: Path, tmp_path: Path, edition: str) -> None:
    page = (written / edition / "report.html").read_text("utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(MEASURE.format(page=html.escape(page)), encoding="utf-8")
    told = re.search(r"<p>(\d+) (.*?)</p>", chromium("--dump-dom", frame.as_uri()))
    assert told
    assert told.groups() == ("390", "")


@pytest.mark.parametrize(("edition", "verdict"), [("internal", "4 of 5"), ("shareable", "1 of 5")])
def test_print_carries_edition_hash_and_number_on_every_page(
    chromium: Chromium, written: Path, tmp_path: Path, edition: str, verdict: str
) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext here: apt-get install poppler-utils")
    pdf = tmp_path / "report.pdf"
    page = (written / edition / "report.html").as_uri()
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", page)
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], stdout=subprocess.PIPE, check=True)
    sheets = done.stdout.decode("utf-8").split("\f")[:-1]
    digest = re.search(r"[0-9a-f]{64}", sheets[0])
    assert digest
    for number, sheet in enumerate(sheets, 1):
        assert f"Page {number} of {len(sheets)}" in sheet
        assert f"{edition} edition" in sheet.lower()
        assert digest.group() in sheet
    assert f"{verdict} policy lines met" in sheets[0]
    # The internal edition answers more questions on its first sheet.
    opening = "".join(sheets[: 2 if edition == "internal" else 1])
    for text in ("Guarantee", "Not tested", "Fitness for a given"):
        assert text in opening
    assert "Fidelity" not in sheets[0]
    assert all(role in sheets[-1] for role in ("Prepared by", "Reviewed by", "Approved by"))
    assert "interval from" in done.stdout.decode("utf-8") or edition == "shareable"
