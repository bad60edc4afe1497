"""The pages in another language, in a real browser: its own language, or the one of the switch."""

import pytest
from browser import LIVE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]

# A letter without a glyph is drawn as the box of one that no font has, or as nothing.
MISSING = """async () => {
  await document.fonts.ready;
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const drawn = (letter, font) => {
    context.clearRect(0, 0, 40, 40);
    context.font = `24px ${font}`;
    context.fillText(letter, 4, 30);
    return context.getImageData(0, 0, 40, 40).data.join();
  };
  const letters = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const font = getComputedStyle(walker.currentNode.parentElement).fontFamily;
    for (const letter of walker.currentNode.textContent) if (letter > "\\u3000") letters.set(letter, font);
  }
  for (const [letter, font] of letters) await document.fonts.load(`24px ${font}`, letter);
  const nothing = [" ", "\\u{2F7FE}"];
  const isMissing = ([letter, font]) => nothing.some((other) => drawn(letter, font) === drawn(other, font));
  return { letters: letters.size, missing: [...letters].filter(isMissing).map(([letter]) => letter) };
}"""


def test_a_japanese_browser_gets_the_page_in_japanese_with_every_letter(visit):
    visitor = visit(locale="ja-JP")
    visitor.click("再生")
    visitor.until(f"{LIVE}.dataset.status === 'playing'")
    visitor.click("一時停止")
    visitor.button("再生").wait_for()
    found = visitor.evaluate(MISSING)
    visitor.until("document.querySelector('.stMain').scrollHeight <= innerHeight")
    assert found["letters"] > 50
    assert found["missing"] == []


def test_the_switch_changes_every_word_and_stands_in_the_address_after_a_reload_too(visit):
    visitor = visit()
    visitor.choose("Language", "日本語")
    visitor.button("再生").wait_for()
    visitor.until("document.querySelector('.st-key-speed').innerHTML.includes('100 バッチ/秒')")
    visitor.until("new URLSearchParams(location.search).get('lang') === 'ja'")
    visitor.reload()
    visitor.button("再生").wait_for()
    visitor.page.get_by_role("link", name="チェックポイント").click()
    visitor.page.get_by_text("ファイルを読み込む").first.wait_for()
    visitor.choose("言語", "English")
    visitor.page.get_by_text("Load a file").first.wait_for()


def test_an_unknown_language_in_the_address_is_named(visit):
    visitor = visit("lang=tlh")
    visitor.says("lang = tlh is not permitted", "en, ja")
