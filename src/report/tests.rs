//! The page as a whole: well formed, escaped, self-contained, without two elements of one id.

use super::*;

const VOID: [&str; 3] = ["meta", "br", "hr"];

/// Checks the nesting of tags and returns all ids. Style sheet and script are the only elements
/// whose content is no markup.
fn ids(page: &str) -> Vec<String> {
    let (head, tail) = page.split_once("<style>").unwrap();
    let (_, tail) = tail.split_once("</style>").unwrap();
    let (body, end) = tail.split_once("<script>").unwrap();
    let (_, end) = end.split_once("</script>").unwrap();
    let page = format!("{head}{body}{end}");
    let (mut ids, mut open) = (Vec::new(), Vec::<String>::new());
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("an unclosed tag");
        let name: String = tag
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else if !tag.starts_with('!') && !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
        ids.extend(
            tag.split_once(" id=\"")
                .and_then(|(_, v)| v.split('"').next())
                .map(str::to_owned),
        );
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    ids
}

fn figure(svg: &str) -> Block {
    Block::Figure {
        svg: svg.into(),
        caption: "How to read it.".into(),
        label: "A \"figure\" & more".into(),
        downloads: vec![
            Link {
                text: "SVG".into(),
                href: "figures/a b.svg".into(),
            },
            Link {
                text: "bad".into(),
                href: "javascript:alert(1)".into(),
            },
            Link {
                text: "net".into(),
                href: "https://example.org/x".into(),
            },
        ],
    }
}

fn report() -> Report {
    let svg =
        "<svg width=\"89mm\"><clipPath id=\"c\"></clipPath><g clip-path=\"url(#c)\"></g></svg>";
    let section = |title: &str, blocks| Section {
        title: title.into(),
        blocks,
    };
    Report {
        title: "<script>title</script>".into(),
        subtitle: "a & b".into(),
        headline: "Yes, <i>0.1</i>.".into(),
        answer: "Yes, \"mostly\".\u{0}".into(),
        sections: vec![
            section(
                "Result",
                vec![figure(svg), figure(svg), figure("no picture")],
            ),
            section(
                "Result",
                vec![
                    Block::Paragraph("<img src=x onerror=alert(1)>".into()),
                    Block::Cards(vec![Card {
                        label: "<b>".into(),
                        value: "−0.1".into(),
                        uncertainty: String::new(),
                    }]),
                    Block::Callout {
                        level: Level::Warning,
                        text: "few <sites>".into(),
                    },
                    Block::Details {
                        summary: "run.json".into(),
                        pre: "{\n  \"a\": \"</pre>\"\n}".into(),
                    },
                    Block::Table(Table::default()),
                ],
            ),
            section("!?", vec![]),
            section("content", vec![Block::Cards(vec![])]),
        ],
        chapters: Vec::new(),
        appendix: Vec::new(),
    }
}

/// Two chapters that say the same of themselves.
fn collection() -> Report {
    let chapter = |folder: &str| Chapter {
        folder: folder.into(),
        report: report(),
    };
    Report {
        chapters: vec![chapter("steps/a/"), chapter("steps/b/")],
        ..report()
    }
}

#[test]
fn the_page_is_well_formed_and_no_id_is_used_twice() {
    let page = report().to_html();
    let mut all = ids(&page);
    for wanted in [
        "content",
        "s-result",
        "s-result-2",
        "s-",
        "s-content",
        "figure-1-c",
        "figure-2-c",
        "table-1",
    ] {
        assert!(all.iter().any(|id| id == wanted), "{wanted} in {all:?}");
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    assert_eq!(page, report().to_html());
}

#[test]
fn chapters_keep_their_files_and_their_anchors_apart() {
    let page = collection().to_html();
    let mut all = ids(&page);
    for wanted in [
        "c1",
        "c2",
        "c1-s-result",
        "c2-s-result-2",
        "figure-9-c".trim_end_matches("-c"),
        "table-3",
    ] {
        assert!(all.iter().any(|id| id == wanted), "{wanted} in {all:?}");
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    for shown in [
        "<a href=\"steps/b/figures/a b.svg\" download>",
        "<a href=\"figures/a b.svg\" download>",
        "<a href=\"steps/a/index.html\">",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    // Warnings of folded sections are named under the answer, where they are.
    assert!(
        page.contains("<strong>One warning</strong> in: <a href=\"#c2-s-result-2\">Result</a>")
    );
}

#[test]
fn a_page_stays_under_8_megabytes() {
    let large = format!(
        "<svg width=\"89mm\"><text>{}</text></svg>",
        "x".repeat(1_000_000)
    );
    let section = Section {
        title: "Figures".into(),
        blocks: vec![figure(&large); 20],
    };
    let page = Report {
        sections: vec![section],
        ..Report::default()
    }
    .to_html();
    assert!(page.len() < 8_000_000, "{}", page.len());
    assert_eq!(
        (
            page.matches("<text>").count(),
            page.matches("holds no more figures").count()
        ),
        (6, 14)
    );
    ids(&page);
}

#[test]
fn input_is_shown_and_never_run() {
    let page = report().to_html();
    for bad in [
        "<script>title",
        "<script>alert",
        "<img",
        "javascript:",
        "https://example.org",
        "\u{0}",
        "</pre>\"",
    ] {
        assert!(!page.contains(bad), "{bad}");
    }
    for shown in [
        "<title>&lt;script&gt;title&lt;/script&gt;</title>",
        "&lt;img src=x onerror=alert(1)&gt;",
        "&quot;&lt;/pre&gt;&quot;",
        "<a href=\"figures/a b.svg\" download>SVG</a> bad net",
        "This figure could not be shown.",
        "<strong>Warning.</strong> few &lt;sites&gt;",
        "Figure 2. A &quot;figure&quot; &amp; more.",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn the_page_loads_nothing_and_fits_phones() {
    let page = collection()
        .to_html()
        .replace("\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http://", "https://", "@import", "src=", "<link"] {
        assert!(
            !page
                .replace("<img src=x", "")
                .replace("img src=x", "")
                .contains(outside),
            "{outside}"
        );
    }
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    assert!(page.contains("name=\"viewport\""));
    ids(&Report::default().to_html());
}
