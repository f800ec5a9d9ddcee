//! The page in a browser: no errors, tables that sort and filter, figures that tell their values
//! and enlarge, no name from the input that runs. Needs Chromium; where there is none the test says
//! so and passes.
#![allow(clippy::unwrap_used)]

use ldar::figures::{
    Figure, ProfileFigure, ProfilePanel, ProfileSeries, Side, VolcanoFigure, VolcanoPanel,
    VolcanoPoint,
};
use ldar::report::{
    Block, Card, Cell, Chapter, Column, Format, Level, Link, Report, Section, Table,
};
use std::path::{Path, PathBuf};
use std::process::Command;

fn browser() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.exists())
}

const EVIL: &str =
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

fn page() -> Report {
    let offsets: Vec<i32> = (-20..=20).collect();
    let mean: Vec<f64> = offsets
        .iter()
        .map(|o| f64::from(*o) / 100.0 + 0.5)
        .collect();
    let series = |label: &str| ProfileSeries {
        label: label.into(),
        offsets: offsets.clone(),
        ci_low: mean.iter().map(|m| m - 0.05).collect(),
        ci_high: mean.iter().map(|m| m + 0.05).collect(),
        mean: mean.clone(),
    };
    let panel = ProfilePanel {
        title: EVIL.into(),
        left: Side::block("exon"),
        right: Side::line("intron"),
        series: vec![series("sites"), series(EVIL)],
        endpoint: None,
        ..ProfilePanel::default()
    };
    let point = |effect: f64, label: &str| VolcanoPoint {
        label: label.into(),
        effect,
        p_value: 1e-3,
        significant: true,
    };
    let volcano = VolcanoFigure {
        panels: vec![VolcanoPanel {
            title: "all".into(),
            points: vec![point(-1.0, "left"), point(1.0, EVIL)],
        }],
        x_label: "effect".into(),
        note: String::new(),
    };
    let figure = |svg: String| Block::Figure {
        svg,
        caption: EVIL.into(),
        label: "A figure".into(),
        downloads: vec![],
    };
    // 30 motifs whose numbers rise and fall; the tenth has none.
    let row = |i: usize| -> Vec<Cell> {
        let value = if i == 10 {
            Cell::Empty
        } else {
            (((i * 7) % 30) as f64 * 1000.0 - 9000.0).into()
        };
        vec![
            if i == 3 {
                EVIL.into()
            } else {
                format!("motif {i}").into()
            },
            value,
        ]
    };
    let table = Table {
        caption: "Motifs".into(),
        columns: vec![
            Column::new("name", Format::Text),
            Column::new("value", Format::Decimals(1)),
        ],
        rows: (0..30).map(row).collect(),
    };
    let section = |title: &str, blocks| Section {
        title: title.into(),
        blocks,
    };
    let callout = |level, text: &str| Block::Callout {
        level,
        text: text.into(),
    };
    let link = |text: &str| Link {
        text: text.into(),
        href: "tables/motifs.tsv".into(),
    };
    let card = Card {
        label: "difference".into(),
        value: "+0.1".into(),
        uncertainty: "95% CI 0 to 0.2".into(),
    };
    let texts = vec![
        Block::Paragraph("Words.".into()),
        Block::Cards(vec![card]),
        callout(Level::Note, "A note."),
        callout(Level::Warning, "A warning."),
        callout(Level::Problem, "A problem."),
        Block::Links(vec![link("tables/motifs.tsv")]),
        Block::Details {
            summary: "More".into(),
            pre: "{}".into(),
        },
    ];
    let blocks = vec![
        figure(ProfileFigure::new(vec![panel]).to_svg().unwrap()),
        figure(volcano.to_svg().unwrap()),
        Block::Table(table),
    ];
    let inner = Report {
        title: "Inner".into(),
        sections: vec![section("One", vec![]), section("Two", vec![])],
        ..Report::default()
    };
    Report {
        title: EVIL.into(),
        headline: "Yes.".into(),
        subtitle: "What, on what".into(),
        answer: "In a sentence.".into(),
        sections: vec![section("Result", blocks), section("Texts", texts)],
        chapters: vec![Chapter {
            folder: "steps/one/".into(),
            report: inner,
        }],
        ..Report::default()
    }
}

/// What a reader does; the findings are left in the page.
const READER: &str = r##"
const found = {};
const table = document.querySelector("table");
const column = () => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[1].textContent.replace("−", "-").replace(",", ""));
const [name, value] = table.querySelectorAll("th button.sort");
value.click();
found.ascending = column();
found.aria = value.closest("th").getAttribute("aria-sort");
value.click();
found.descending = column();
value.click();
found.original = column();
name.click();
const field = document.querySelector("input[type=search]");
field.value = "MOTIF 17";
field.dispatchEvent(new Event("input"));
found.filtered = column().length;
found.count = document.querySelector("output").textContent;
const [profile, volcano] = document.querySelectorAll(".plot");
const tip = document.querySelector(".tip");
const hover = (plot, x, y) => plot.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }));
const at = (plot, x, y) => new DOMPoint(x, y).matrixTransform(plot.querySelector("svg").getScreenCTM());
const notes = JSON.parse(profile.querySelector("metadata").textContent);
const [left, top_, right, bottom] = notes[0].box;
const middle = at(profile, (left + right) / 2, (top_ + bottom) / 2);
hover(profile, middle.x, middle.y);
found.tip = tip.hidden ? "" : tip.textContent;
const dot = JSON.parse(volcano.querySelector("metadata").textContent)[0].points.find((point) => point[2].startsWith("left"));
volcano.scrollIntoView();
const spot = at(volcano, dot[0], dot[1]);
hover(volcano, spot.x, spot.y);
found.point = tip.hidden ? "" : tip.textContent;
profile.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
profile.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
found.keys = tip.hidden ? "" : tip.textContent;
const box = () => profile.querySelector("svg").getAttribute("viewBox");
const whole = box();
document.querySelector(".tools button").click();
found.enlarged = box() !== whole;
profile.dispatchEvent(new KeyboardEvent("keydown", { key: "0", cancelable: true }));
found.reset = box() === whole;
location.hash = "#c1-s-two";
found.wide = document.documentElement.scrollWidth > innerWidth;
setTimeout(() => {
  found.open = document.getElementById("c1-s-two").open;
  found.title = document.title;
  const note = document.createElement("pre");
  note.id = "found";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
}, 50);
"##;

/// Contrast by WCAG 2: of every text of the page, that of SVG figures included, the ratio of its
/// colour to what lies behind it. Left in the page: how many texts were looked at, those under 4.5
/// (3 where they are large), and figures without a name for those who do not see them.
const MEASURER: &str = r##"
document.querySelectorAll("details").forEach((details) => { details.open = true; });
const parts = (color) => {
  const numbers = color.match(/[\d.]+/g).map(Number);
  return numbers.length < 4 ? [...numbers, 1] : numbers;
};
const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] + below[i] * (1 - top[3]));
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
const behind = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(parts(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), canvas);
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const measured = { texts: 0, poor: [], dark: matchMedia("(prefers-color-scheme: dark)").matches };
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const [node, element] = [walker.currentNode, walker.currentNode.parentElement];
  const inside = element.closest("script, style, metadata");
  if (inside || !node.textContent.trim() || element.getClientRects().length === 0) continue;
  const style = getComputedStyle(element);
  const below = behind(element);
  const ink = parts(element.closest("svg") ? style.fill : style.color);
  let opacity = 1;
  for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  ink[3] *= opacity;
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const ratio = contrast(over(ink, below), below);
  measured.texts += 1;
  if (ratio < (large && !element.closest("svg") ? 3 : 4.5)) measured.poor.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className.baseVal ?? element.className}: ${node.textContent.slice(0, 40)}`);
}
const named = (plot) => plot.getAttribute("aria-label") && plot.querySelector("svg[role=img]")?.getAttribute("aria-label");
const plots = [...document.querySelectorAll(".plot")];
measured.figures = plots.length;
measured.nameless = plots.filter((plot) => !named(plot)).length + document.querySelectorAll("img:not([alt])").length;
const note = document.createElement("pre");
note.id = "found";
note.textContent = JSON.stringify(measured);
document.body.append(note);
"##;

fn read(browser: &Path, page: &str, script: &str, options: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(
        &path,
        page.replace("</body>", &format!("<script>{script}</script></body>")),
    )
    .unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .args(options)
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = console
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let page = String::from_utf8_lossy(&output.stdout);
    let found = page
        .split("<pre id=\"found\">")
        .nth(1)
        .and_then(|rest| rest.split("</pre>").next());
    let found = found.unwrap_or_else(|| panic!("the reader left nothing: {console}"));
    serde_json::from_str(
        &found
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
    .unwrap()
}

#[test]
fn a_reader_can_use_the_page() {
    let Some(browser) = browser() else {
        eprintln!("no Chromium here: the page was not opened");
        return;
    };
    for width in [1280, 500] {
        let found = read(
            &browser,
            &page().to_html(),
            READER,
            &[&format!("--window-size={width},900")],
        );
        let numbers = |key: &str| -> Vec<f64> {
            let values = found[key]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_str().unwrap());
            values
                .filter(|v| !v.is_empty())
                .map(|v| v.parse().unwrap())
                .collect()
        };
        assert_eq!(numbers("ascending").len(), 29);
        assert!(numbers("ascending").is_sorted(), "{found:#}");
        assert!(numbers("descending").iter().rev().is_sorted(), "{found:#}");
        for key in ["ascending", "descending"] {
            assert_eq!(found[key][29], "", "what is missing comes last");
        }
        assert_eq!(found["original"][1], "-2000.0");
        assert_eq!(
            (&found["aria"], &found["filtered"]),
            (&"ascending".into(), &2.into()),
            "{found:#}"
        );
        assert_eq!(found["count"], "2 of 30 rows");
        let tip = found["tip"].as_str().unwrap();
        assert!(
            tip.starts_with("00.5 (0.45 to 0.55)  sites") && tip.contains("<script>"),
            "{tip}"
        );
        assert!(
            found["point"]
                .as_str()
                .unwrap()
                .starts_with("left: −1.0000, p = 1.00e−3"),
            "{found:#}"
        );
        assert!(
            found["keys"].as_str().unwrap().starts_with("+10.51"),
            "{found:#}"
        );
        for key in ["enlarged", "reset", "open"] {
            assert_eq!(found[key], true, "{key} {found:#}");
        }
        assert_eq!(
            found["wide"], false,
            "the page must not scroll sideways at {width}"
        );
        assert_eq!(found["title"], EVIL);
    }
}

/// What the system asks for; a page follows it.
const DARK: [&str; 2] = [
    "--blink-settings=preferredColorScheme=0",
    "--force-prefers-color-scheme=dark",
];

#[test]
fn every_text_stands_out_from_what_lies_behind_it() {
    let Some(browser) = browser() else {
        eprintln!("no Chromium here: contrasts were not measured");
        return;
    };
    for (options, dark) in [(&[][..], false), (&DARK[..], true)] {
        let found = read(&browser, &page().to_html(), MEASURER, options);
        assert_eq!(found["dark"], dark, "{found:#}");
        assert!(found["texts"].as_u64().unwrap() > 120, "{found:#}");
        assert_eq!(
            (&found["poor"], &found["figures"], &found["nameless"]),
            (&serde_json::json!([]), &2.into(), &0.into()),
            "{found:#}"
        );
    }
    // The measure itself: grey on white is seen, and so is a page without its figures' names.
    let html = page()
        .to_html()
        .replace("<p>Words.</p>", "<p style=\"color: #999999\">Words.</p>");
    let poor = read(&browser, &html, MEASURER, &[])["poor"].clone();
    assert!(
        poor.as_array().unwrap().len() == 1 && poor[0].as_str().unwrap().starts_with("2.85 P"),
        "{poor:#}"
    );
}
