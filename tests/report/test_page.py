import hashlib
import html.parser
import itertools
import re
from types import ModuleType

import pytest

from medsynth.report import edition_of, report_files
from medsynth.report.blocks import Drawing
from medsynth.report.html import render
from medsynth.score import Edition


def blank(_chart: Drawing, prefix: str) -> str:
    """In place of a drawing, where a test is not about drawings."""
    return f'<svg id="{prefix}x"></svg>'


KINDS = ("internal", "shareable", "hostile internal", "hostile shareable")
VOID = {"meta", "link", "br", "input", "img", "hr"}


class Page(html.parser.HTMLParser):
    """What a page consists of, as far as the tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=KINDS)
def page(request: pytest.FixtureRequest, pages: dict[str, str]) -> Page:
    return Page(pages[request.param])


def test_every_element_is_closed_and_every_id_unique(page: Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for _, a in page.tags if a.get("href", "").startswith("#")}
    described = {word for _, a in page.tags for word in a.get("aria-labelledby", "").split()}
    assert targets | described <= set(ids)


def test_nothing_is_loaded_from_outside(page: Page, pages: dict[str, str]) -> None:
    for _, attributes in page.tags:
        assert not {"src", "srcset", "data", "action", "background"} & set(attributes)
        assert attributes.get("href", "#").startswith(("#", "data:,"))
    for text in pages.values():
        assert "@import" not in text
        assert set(re.findall(r"url\((.)", text)) <= {"#"}
    policy = next(a for a in page.all("meta") if "http-equiv" in a)["content"]
    assert policy.startswith("default-src 'none';")


def test_hostile_names_stay_text(page: Page, pages: dict[str, str]) -> None:
    assert not page.all("script")
    assert not any(key.startswith("on") for _, a in page.tags for key in a)
    assert "\x00" not in "".join(pages.values())
    assert "<script>alert('x')</script>" in "".join(Page(pages["hostile shareable"]).words)


def test_page_can_be_read_aloud(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("main", "header", "nav", "footer", "h1")] == [1] * 5
    assert page.all("a")[0] == {"class": "skip", "href": "#main"}
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in attributes for attributes in page.all("th"))


def test_every_chart_has_a_text_alternative_and_its_table(pages: dict[str, str]) -> None:
    page = Page(pages["internal"])
    charts = page.all("svg")
    assert len(charts) == len(page.all("figure")) == 5
    assert all(chart["role"] == "img" and chart["aria-labelledby"] for chart in charts)
    assert len(page.all("title")) == len(charts) + 1
    assert len(page.all("desc")) == len(charts)
    assert len([a for a in page.all("table") if a.get("class") == "numbers"]) == len(charts)


def test_pages_are_small_and_the_same_bytes_each_time(made: ModuleType, pages: dict[str, str]) -> None:
    assert all(len(text.encode("utf-8")) < 1_500_000 for text in pages.values())
    again = report_files(made.example(), Edition.INTERNAL)["report.html"].decode("utf-8")
    assert again == pages["internal"]


def test_page_one_holds_verdict_policy_guarantee_and_what_was_not_tested(
    pages: dict[str, str],
) -> None:
    for edition, verdict in (("internal", "4 of 5"), ("shareable", "1 of 5")):
        words = " ".join("".join(Page(pages[edition]).words).split())
        first = words[: words.index("Contents")]
        for text in (
            f"{verdict} policy lines met",
            "Guarantee",
            "5.23",
            "Not tested",
            "2026-03-31",
        ):
            assert text in first


def test_no_policy_shows_no_verdict_and_no_table(made: ModuleType) -> None:
    content = edition_of(made.example(policy={}), Edition.INTERNAL)
    text = render(content, sha256="0" * 64, draw=blank)
    assert "No policy declared: nothing was judged" in text
    assert 'class="policy"' not in text
    assert 'class="outcome met"' not in text


def test_the_guarantee_card_says_how_rows_were_drawn_and_provenance_what_that_means(made: ModuleType) -> None:
    words = " ".join("".join(Page(render(made.example(), sha256="0" * 64, draw=blank)).words).split())
    card, rest = words[: words.index("Contents")], words[words.index("Contents") :]
    assert "How the rows were drawn" in card
    assert "edited; see Provenance" in card
    assert "edited. Rows lie closer to the model than independent draws" in rest


def test_a_table_without_guarantee_says_so(made: ModuleType) -> None:
    content = made.example().model_copy(update={"guarantee": None, "ledger": (), "rare": ()})
    text = render(content, sha256="0" * 64, draw=blank)
    assert "No differential privacy guarantee is claimed for this table." in text
    assert "Booked" not in text.replace("Booked in the ledger", "")
    outside = render(edition_of(content, Edition.SHAREABLE), sha256="0" * 64, draw=blank)
    assert "caps in the guarantee" not in outside


def test_a_bare_content_renders(made: ModuleType) -> None:
    content = made.collect(
        title="T", date="2026-03-31", version="0", dataset={"name": "t"}, row_meaning="",
        guarantee=None,
    )  # fmt: skip
    for edition in Edition:
        assert report_files(content, edition)["report.html"]


@pytest.mark.parametrize("word", ["anonym", "complian", "certif", "100 %", "guaranteed"])
def test_words_that_promise_too_much_are_absent(page: Page, word: str) -> None:
    assert word not in " ".join(page.words).lower()


def test_sha256_of_the_json_is_printed_on_every_page_and_beside_the_signatures(
    rendered: dict[str, dict[str, bytes]],
) -> None:
    files = rendered["shareable"]
    digest = hashlib.sha256(files["report.json"]).hexdigest()
    text = files["report.html"].decode("utf-8")
    assert f'@bottom-left {{ content: "SHA-256 of report.json: {digest}"; }}' in text
    assert text.count(digest) == 3
    assert all(role in text for role in ("Prepared by", "Reviewed by", "Approved by"))


def test_many_charts_are_folded_and_many_columns_cut(made: ModuleType) -> None:
    content = made.example()
    chart = content.charts[0]
    columns = [s for s in content.scores if s.columns]
    many = content.model_copy(
        update={
            "charts": tuple(chart.model_copy(update={"title": f"C{i}"}) for i in range(20)),
            "scores": tuple(columns[0].model_copy(update={"columns": (f"c{i}",)}) for i in range(50)),
        }
    )
    text = render(many, sha256="0" * 64, draw=blank)
    assert "12 more charts" in text
    assert "20 more columns are in report.json" in text
