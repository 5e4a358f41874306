#!/usr/bin/env python3
"""Looks at the pages of `milepost bench` in a real browser.

    pip install playwright && (playwright install chromium || apt-get install chromium)
    python3 tests/browser/report.py milepost-bench/report.html [MORE.html …] [--pictures DIR]

Each page is opened at three widths, light and dark. It must make no request and print nothing to the console; nothing may
reach beyond the screen, beyond its chart, or over other text; letters and bars must stand out from what is behind them; and
it must say all that it says without a script. Ends with 0 if all of that holds, with 1 if not, and with 77 if there is no
browser to look with.
"""

import argparse
import pathlib
import shutil
import sys

WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")
SKIPPED = 77

# Gives a list of complaints about the page as it is laid out now.
LOOK = r"""
() => {
  const bad = [];
  const about = (node) => `${node.tagName} "${(node.textContent || '').trim().slice(0, 40)}"`;
  const shown = (node) => node.checkVisibility() && node.getBoundingClientRect().width > 0;

  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth) bad.push(`the page is ${wide} wide on a screen of ${window.innerWidth}`);

  // Text in charts: inside its chart, and not over other text of it.
  for (const chart of document.querySelectorAll('svg')) {
    if (!shown(chart)) continue;
    const frame = chart.getBoundingClientRect();
    const within = (box) => box.left >= frame.left - 1 && box.right <= frame.right + 1
      && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
    const texts = [...chart.querySelectorAll('text')];
    for (const part of chart.querySelectorAll('text, rect, line, circle')) {
      if (!within(part.getBoundingClientRect())) bad.push(`outside of its chart: ${about(part)}`);
    }
    for (let i = 0; i < texts.length; i++) {
      for (let j = i + 1; j < texts.length; j++) {
        const [a, b] = [texts[i].getBoundingClientRect(), texts[j].getBoundingClientRect()];
        const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (x > 1 && y > 3) bad.push(`${about(texts[i])} and ${about(texts[j])} overlap`);
      }
    }
    for (const id of (chart.getAttribute('aria-labelledby') || '').split(' ')) {
      const named = id && chart.querySelector(`#${id}`);
      if (!named || !named.textContent.trim()) bad.push('a chart without a title or description');
    }
  }

  // Text elsewhere: not cut off, but in boxes that scroll.
  for (const node of document.querySelectorAll('h1, h2, h3, p, li, summary, code, th, td')) {
    if (!shown(node) || node.closest('.scroll')) continue;
    const box = node.getBoundingClientRect();
    if (box.right > window.innerWidth + 1 || box.left < -1) bad.push(`beyond the screen: ${about(node)}`);
    if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline') {
      bad.push(`cut off: ${about(node)}`);
    }
  }

  // Contrast, as WCAG 2 counts it.
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const parts = channels(colour);
      if (parts.length < 4 || parts[3] > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const check = (node, colour, least) => {
    const [one, other] = [light(colour), light(behind(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < least) bad.push(`contrast ${ratio.toFixed(2)} of ${about(node)}, ${least} is needed`);
  };
  for (const node of document.querySelectorAll('h1, h2, h3, p, li, summary, code, th, td, svg text')) {
    if (!shown(node)) continue;
    const style = getComputedStyle(node);
    check(node, node.namespaceURI.endsWith('svg') ? style.fill : style.color, 4.5);
  }
  for (const bar of document.querySelectorAll('svg .bar, svg .point')) check(bar.closest('figure'), getComputedStyle(bar).fill, 3);
  for (const line of document.querySelectorAll('svg .series, svg .whisker')) check(line.closest('figure'), getComputedStyle(line).stroke, 3);
  for (const swatch of document.querySelectorAll('.swatch')) check(swatch.parentElement, getComputedStyle(swatch).backgroundColor, 3);
  return [...new Set(bad)];
}
"""


def launch(playwright):
    """A browser: playwright's own, else the system's. None if there is neither."""
    paths = [None] + [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    for path in [None] + [path for path in paths if path]:
        try:
            return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except Exception as error:  # A browser that does not start is no browser.
            last = error
    print(f"no browser starts: {str(last).splitlines()[0]}", file=sys.stderr)
    return None


def look(browser, page_file, pictures):
    """All complaints about one page."""
    found = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, device_scale_factor=1
            )
            page = context.new_page()
            said, asked = [], []
            url = page_file.resolve().as_uri()
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(url, wait_until="load")
            where = f"{page_file} at {width}, {scheme}"
            found += [f"{where}: the console says {text}" for text in said]
            found += [f"{where}: asks for {other}" for other in asked if other != url and not other.startswith("data:")]
            if page.locator("script").count():
                found.append(f"{where}: has a script")
            if page.locator("svg").count() == 0:
                found.append(f"{where}: has no chart")
            if pictures:
                name = f"{page_file.parent.name}-{page_file.stem}-{scheme}-{width}.png"
                page.screenshot(path=str(pictures / name), full_page=True)
            found += [f"{where}: {text}" for text in page.evaluate(LOOK)]
            # Once more with all the tables that are folded away.
            page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
            found += [f"{where}, unfolded: {text}" for text in page.evaluate(LOOK)]
            if pictures:
                page.screenshot(path=str(pictures / name.replace(".png", "-unfolded.png")), full_page=True)
            context.close()
    return list(dict.fromkeys(found))


def main():
    parser = argparse.ArgumentParser(description="Looks at pages of milepost bench in a browser.")
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path, help="folder for pictures of the pages")
    arguments = parser.parse_args()
    for page in arguments.pages:
        if not page.is_file():
            parser.error(f"{page} is no file: make it with milepost bench")
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("skipped: playwright is not there (pip install playwright)", file=sys.stderr)
        return SKIPPED
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            print("skipped: there is no browser (playwright install chromium)", file=sys.stderr)
            return SKIPPED
        found = [text for page in arguments.pages for text in look(browser, page, arguments.pictures)]
        browser.close()
    for text in found:
        print(text)
    looked = len(arguments.pages) * len(SCHEMES) * len(WIDTHS)
    print(f"{len(found)} complaints, {looked} views of {len(arguments.pages)} pages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
