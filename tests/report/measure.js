// What is wrong with the page as it is drawn: text that is cut, outside, too small, too pale, or on top of other text.
(() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const wide = innerWidth;
  const faults = {hidden: [], outside: [], small: [], over: [], pale: [], piled: []};
  const found = {width: wide, scroll: document.documentElement.scrollWidth, texts: 0, drawn: 0, ...faults};
  const say = (one) => `${one.tagName}.${one.getAttribute("class") || ""} ${one.textContent.slice(0, 40)}`;
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const seen = new Map();
  const rgba = (color) => {
    if (!seen.has(color)) {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
      seen.set(color, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return seen.get(color);
  };
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const c = rgba(getComputedStyle(at).backgroundColor);
      if (c[3] > 250 && !(at instanceof SVGElement)) return c;
    }
    return [255, 255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), svg = [];
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const one = node.parentElement, style = getComputedStyle(one), range = document.createRange();
    if (!node.data.trim() || ["SCRIPT", "STYLE", "title"].includes(one.tagName) || style.visibility === "hidden" || one.closest(".skip")) continue;
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    found.texts += 1;
    const drawn = one instanceof SVGTextContentElement;
    const size = parseFloat(style.fontSize) * (drawn ? one.getScreenCTM().a : 1);
    if (size < 10) found.small.push(`${size} ${say(one)}`);
    const inner = one.closest(".scroll, pre");
    if (!inner && (box.left < -1 || box.right > wide + 1)) found.outside.push(say(one));
    const [a, b] = [light(rgba(drawn ? style.fill : style.color)), light(ground(one))];
    if (!one.closest("[aria-hidden]") && !one.classList.contains("zero") && (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5) found.pale.push(say(one));
    if (drawn) { found.drawn += 1; svg.push([one.getBoundingClientRect(), one]); }
    for (let at = one; at && at !== document.body; at = at.parentElement) {
      const clip = getComputedStyle(at);
      if ((clip.overflowX === "hidden" || clip.overflowX === "clip" || clip.overflowY === "hidden") && (at.scrollWidth > at.clientWidth + 1 || at.scrollHeight > at.clientHeight + 1)) found.hidden.push(say(at));
    }
  }
  svg.forEach(([a, one], i) => svg.slice(i + 1).forEach(([b, other]) => {
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found.over.push(`${say(one)} / ${say(other)}`);
  }));
  for (const parent of document.querySelectorAll("header, section, article, .claim, figure, .group, li, .tracks, tbody, .facts, .hashes")) {
    const blocks = [...parent.children].filter((one) => !["inline", "inline-block", "none"].includes(getComputedStyle(one).display) && one.getBoundingClientRect().height);
    blocks.slice(1).forEach((one, i) => {
      const [above, below] = [blocks[i].getBoundingClientRect(), one.getBoundingClientRect()];
      const apart = below.top >= above.bottom - 1 || below.left >= above.right - 1 || below.right <= above.left + 1;
      if (!apart) found.piled.push(`${say(blocks[i])} / ${say(one)}`);
    });
  }
  return found;
})();
