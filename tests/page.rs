//! The page in a browser: no errors, tables that sort and filter, figures that tell their values and enlarge, no name from the input that runs. Needs Chromium;
//! where there is none the test says so and passes.
#![allow(clippy::unwrap_used)]

use ldar::figures::{Figure, ProfileFigure, ProfilePanel, ProfileSeries, Side, VolcanoFigure, VolcanoPanel, VolcanoPoint};
use ldar::report::{Block, Cell, Chapter, Column, Format, Report, Section, Table};
use std::path::{Path, PathBuf};
use std::process::Command;

fn browser() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.exists())
}

const EVIL: &str = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

fn page() -> Report {
    let offsets: Vec<i32> = (-20..=20).collect();
    let mean: Vec<f64> = offsets.iter().map(|o| f64::from(*o) / 100.0 + 0.5).collect();
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
    let point = |effect: f64, label: &str| VolcanoPoint { label: label.into(), effect, p_value: 1e-3, significant: true };
    let volcano = VolcanoFigure {
        panels: vec![VolcanoPanel { title: "all".into(), points: vec![point(-1.0, "left"), point(1.0, EVIL)] }],
        x_label: "effect".into(),
        note: String::new(),
    };
    let figure = |svg: String| Block::Figure { svg, caption: EVIL.into(), label: "A figure".into(), downloads: vec![] };
    // 30 motifs whose numbers rise and fall; the tenth has none.
    let row = |i: usize| -> Vec<Cell> {
        let value = if i == 10 { Cell::Empty } else { (((i * 7) % 30) as f64 * 1000.0 - 9000.0).into() };
        vec![if i == 3 { EVIL.into() } else { format!("motif {i}").into() }, value]
    };
    let table = Table {
        caption: "Motifs".into(),
        columns: vec![Column::new("name", Format::Text), Column::new("value", Format::Decimals(1))],
        rows: (0..30).map(row).collect(),
    };
    let section = |title: &str, blocks| Section { title: title.into(), blocks };
    let blocks = vec![figure(ProfileFigure::new(vec![panel]).to_svg().unwrap()), figure(volcano.to_svg().unwrap()), Block::Table(table)];
    let inner = Report { title: "Inner".into(), sections: vec![section("One", vec![]), section("Two", vec![])], ..Report::default() };
    Report {
        title: EVIL.into(),
        headline: "Yes.".into(),
        sections: vec![section("Result", blocks)],
        chapters: vec![Chapter { folder: "steps/one/".into(), report: inner }],
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

fn read(browser: &Path, width: usize) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, page().to_html().replace("</body>", &format!("<script>{READER}</script></body>"))).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = console.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let page = String::from_utf8_lossy(&output.stdout);
    let found = page.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let found = found.unwrap_or_else(|| panic!("the reader left nothing: {console}"));
    serde_json::from_str(&found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).unwrap()
}

#[test]
fn a_reader_can_use_the_page() {
    let Some(browser) = browser() else {
        eprintln!("no Chromium here: the page was not opened");
        return;
    };
    for width in [1280, 500] {
        let found = read(&browser, width);
        let numbers = |key: &str| -> Vec<f64> {
            let values = found[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap());
            values.filter(|v| !v.is_empty()).map(|v| v.parse().unwrap()).collect()
        };
        assert_eq!(numbers("ascending").len(), 29);
        assert!(numbers("ascending").is_sorted(), "{found:#}");
        assert!(numbers("descending").iter().rev().is_sorted(), "{found:#}");
        for key in ["ascending", "descending"] {
            assert_eq!(found[key][29], "", "what is missing comes last");
        }
        assert_eq!(found["original"][1], "-2000.0");
        assert_eq!((&found["aria"], &found["filtered"]), (&"ascending".into(), &2.into()), "{found:#}");
        assert_eq!(found["count"], "2 of 30 rows");
        let tip = found["tip"].as_str().unwrap();
        assert!(tip.starts_with("00.5 (0.45 to 0.55)  sites") && tip.contains("<script>"), "{tip}");
        assert!(found["point"].as_str().unwrap().starts_with("left: −1.0000, p = 1.00e−3"), "{found:#}");
        assert!(found["keys"].as_str().unwrap().starts_with("+10.51"), "{found:#}");
        for key in ["enlarged", "reset", "open"] {
            assert_eq!(found[key], true, "{key} {found:#}");
        }
        assert_eq!(found["wide"], false, "the page must not scroll sideways at {width}");
        assert_eq!(found["title"], EVIL);
    }
}
